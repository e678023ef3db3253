package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
)

// offlineOrigin stands for the sidecar in page links when the request names no
// host.
const offlineOrigin = "https://localhost"

func newSanitize() *cobra.Command {
	var o offlineFlags
	var request string
	var status int
	var lines bool
	c := &cobra.Command{
		Use:   "sanitize --request 'GET URL' < body",
		Short: "Decide one request and sanitize one response body, without Envoy",
		Long: `Decide the request that --request names by the policy, read the upstream's
response body from standard input, and write what a client would get.

Exit codes: 0 the sanitized body is on standard output; 3 the policy denies the
request, reasons on standard error; 4 the body is refused, with JSON pointer and
offset on standard error; 2 the command line or the configuration is wrong.

Salt and key come from GRAPHVEIL_SALT and GRAPHVEIL_KEY, or from --config.

With --jsonl, each line of standard input is one exchange,
  {"id": any, "method": "GET", "url": "…", "status": 200, "body": JSON}
(or "text": "the body as a string"), and each line of output its result, in order:
  {"id": any, "outcome": "sanitized|denied|refused", "reasons": […], "body": JSON}
(or "text", where the body is not one JSON text but several).`,
		Example: `  export GRAPHVEIL_SALT=salt GRAPHVEIL_KEY=secret
  graphveil sanitize --set ids=clear --request 'GET /v1.0/users/42/mailboxSettings' < settings.json
  graphveil sanitize --policy ./my-policy --policy builtin --request 'GET /v1.0/users' < users.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			gateway, _, err := o.gateway(cmd.Context())
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if lines {
				return sanitizeLines(cmd.Context(), gateway, os.Stdin, os.Stdout)
			}
			method, url, ok := strings.Cut(request, " ")
			if !ok {
				return &exitError{exitUsage, errors.New("--request must be a method and a URL, as 'GET /v1.0/users'\nhint: graphveil sanitize --help")}
			}
			body, err := io.ReadAll(os.Stdin)
			if err != nil {
				return fmt.Errorf("reading the body: %w", err)
			}
			out, x := sanitizeOne(cmd.Context(), gateway, offlineExchange{Method: method, URL: url, Status: status, body: body})
			if x.exit != 0 {
				return &exitError{x.exit, fmt.Errorf("%s: %s", x.outcome, strings.Join(x.reasons, "; "))}
			}
			_, err = os.Stdout.Write(out)
			return err
		},
	}
	o.register(c)
	c.Flags().StringVar(&request, "request", "", "the request, as `'METHOD URL'`")
	c.Flags().IntVar(&status, "status", 200, "the upstream's HTTP status `code`")
	c.Flags().BoolVar(&lines, "jsonl", false, "read exchanges from standard input, one JSON object per line")
	return c
}

// offlineFlags are the flags of commands that use a policy without serving.
type offlineFlags struct {
	config   string
	policies []string
	options  map[string]string
}

func (o *offlineFlags) register(c *cobra.Command) {
	configFlag(c, &o.config)
	c.Flags().StringArrayVar(&o.policies, "policy", nil, "policy `folder`, or \"builtin\" for the shipped connectors (default); repeatable")
	c.Flags().StringToStringVar(&o.options, "set", nil, "set a policy `option=value`; repeatable")
}

// read merges the flags over the configuration file.
func (o *offlineFlags) read() (*Config, error) {
	config, err := readConfig(o.config)
	if err != nil {
		return nil, err
	}
	if len(o.policies) > 0 {
		config.Policy.Paths, config.Policy.OPAConfig = o.policies, ""
	}
	for name, value := range o.options {
		if config.Policy.Options == nil {
			config.Policy.Options = map[string]string{}
		}
		config.Policy.Options[name] = value
	}
	return config, nil
}

func (o *offlineFlags) gateway(ctx context.Context) (*extproc.Gateway, *policy.Snapshot, error) {
	config, err := o.read()
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := policy.Load(ctx, config.policy())
	if err != nil {
		return nil, nil, err
	}
	gateway, err := newGateway(config, func() *policy.Snapshot { return snapshot })
	return gateway, snapshot, err
}

// offlineExchange is one line of --jsonl.
type offlineExchange struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
	Text   *string         `json:"text"`
	body   []byte
}

type offlineResult struct {
	outcome string
	reasons []string
	exit    int
}

// sanitizeOne runs one exchange the way a stream does.
func sanitizeOne(ctx context.Context, g *extproc.Gateway, in offlineExchange) ([]byte, offlineResult) {
	x := g.NewExchange()
	defer x.Close()
	head := requestHeadOf(in.Method, in.URL)
	forward, refusal := x.Request(ctx, head)
	if refusal != nil {
		return nil, refused(refusal, extproc.OutcomeDenied, exitDenied, "")
	}
	media := "application/json" // as errors always are
	for _, h := range forward.Headers {
		if h.Name == "accept" && in.Status < 300 {
			media = h.Value
		}
	}
	_, refusal = x.Response(extproc.ResponseHead{
		Status:  in.Status,
		Headers: []extproc.Header{{Name: "content-type", Value: media}},
		End:     len(in.body) == 0,
	})
	var out []byte
	if refusal == nil && len(in.body) > 0 {
		if out, refusal = x.Body(nil, in.body); refusal == nil {
			out, refusal = x.End(out)
		}
	}
	if refusal != nil {
		return nil, refused(refusal, extproc.OutcomeRefused, exitRefused, x.BodyError())
	}
	return out, offlineResult{outcome: extproc.OutcomeSanitized}
}

func refused(r *extproc.Refusal, outcome string, exit int, where string) offlineResult {
	reasons := r.Reasons
	if len(reasons) == 0 {
		reasons = []string{r.Code}
	}
	if where != "" {
		reasons = append(reasons, where)
	}
	if r.Message != "" {
		reasons = append(reasons, r.Message)
	}
	return offlineResult{outcome, reasons, exit}
}

// requestHeadOf takes an absolute URL or an origin-form target apart without
// decoding it: what is ambiguous must stay so.
func requestHeadOf(method, url string) extproc.RequestHead {
	head := extproc.RequestHead{Method: method, Target: url, Scheme: "https", Authority: strings.TrimPrefix(offlineOrigin, "https://")}
	if scheme, rest, ok := strings.Cut(url, "://"); ok && !strings.Contains(scheme, "/") {
		authority, target, _ := strings.Cut(rest, "/")
		head.Scheme, head.Authority, head.Target = scheme, authority, "/"+target
	}
	return head
}

// sanitizeLines runs the exchanges of a JSON Lines stream, in order.
func sanitizeLines(ctx context.Context, g *extproc.Gateway, r io.Reader, w io.Writer) error {
	in := bufio.NewReaderSize(r, 1<<20)
	out := bufio.NewWriter(w)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("reading line %d: %w", n, err)
		}
		if len(strings.TrimSpace(string(line))) > 0 {
			if err := sanitizeLine(ctx, g, line, out); err != nil {
				return errors.Join(out.Flush(), &exitError{exitUsage, fmt.Errorf("reading line %d: %w", n, err)})
			}
		}
		if err == io.EOF {
			return out.Flush()
		}
	}
}

func sanitizeLine(ctx context.Context, g *extproc.Gateway, line []byte, out *bufio.Writer) error {
	in := offlineExchange{Status: 200}
	if err := json.Unmarshal(line, &in); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("not JSON at offset %d", syntax.Offset)
		}
		return errors.New(`a member has the wrong type; want {"id","method","url","status","body" or "text"}`)
	}
	if in.Method == "" || in.URL == "" || (in.Body != nil && in.Text != nil) {
		return errors.New(`want {"id","method","url","status","body" or "text"}`)
	}
	in.body = in.Body
	if in.Text != nil {
		in.body = []byte(*in.Text)
	}
	body, result := sanitizeOne(ctx, g, in)
	var text string
	if !json.Valid(body) { // imported rules take several JSON texts
		body, text = nil, string(body)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false) // strings stay byte for byte
	return encoder.Encode(struct {
		ID      json.RawMessage `json:"id,omitempty"`
		Outcome string          `json:"outcome"`
		Reasons []string        `json:"reasons"`
		Body    json.RawMessage `json:"body,omitempty"`
		Text    string          `json:"text,omitempty"`
	}{in.ID, result.outcome, append([]string{}, result.reasons...), body, text})
}
