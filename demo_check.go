package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// print shows three requests to try: the original, the same sanitized, and what
// a token of the second leads to.
func (d *demonstration) print(ctx context.Context, out io.Writer) error {
	user, err := d.firstUser(ctx)
	if err != nil {
		return err
	}
	requests := demoRequests(user)
	var more strings.Builder
	for _, connector := range d.connectors {
		fmt.Fprintf(&more, "  %-17s %s\n", connector, requests[connector])
	}
	_, err = fmt.Fprintf(out, `
Ready.

  proxy    %s
  tenant   %s
  metrics  %s/metrics
  logs     %s

What a workload sees today, with a token for the whole tenant:

  curl -s --cacert %s -H @%s '%s%s'

The same through Graphveil, without a token:

  curl -s --cacert %[5]s '%[1]s%[8]s'

The mail of the first user, addressed by the token from that answer:

  curl -s --cacert %[5]s '%[1]s%[9]s'

More of that user, from every connector:

%[10]s
Press Ctrl-C to stop.
`, d.sidecar.url(), d.tenant.GraphURL(), d.sidecar.adminURL, d.logFile, d.caFile, d.tokenFile, d.tenant.GraphURL(), demoUsers, demoMail(user), more.String())
	return err
}

// The requests of the demo. They are all that the command line knows of the API.
const demoUsers = "/v1.0/users?$top=3&$select=id,displayName,mail,department"

func demoMail(user string) string {
	return "/v1.0/users/" + user + "/mailFolders/SentItems/messages?$top=2&$select=subject,from,toRecipients,sentDateTime"
}

// demoRequests is one request for each connector, about a user.
func demoRequests(user string) map[string]string {
	return map[string]string{
		"entra_id":         "/v1.0/users/" + user,
		"outlook_mail":     demoMail(user),
		"outlook_calendar": "/v1.0/users/" + user + "/events?$top=2",
		"teams":            "/v1.0/users/" + user + "/chats?$top=2&$expand=members",
		"onedrive":         "/v1.0/users/" + user + "/drives",
		"m365_copilot":     "/beta/copilot/users/" + user + "/interactionHistory/getAllEnterpriseInteractions?$top=2",
	}
}

// page is what the demo reads of a response.
type page struct {
	Value []map[string]any `json:"value"`
	Next  string           `json:"@odata.nextLink"`
	Error struct{ Code string }
}

func (d *demonstration) get(ctx context.Context, url, authorization string) (int, string, page, error) {
	var p page
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", p, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	client := d.tenant.Client()
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return 0, "", p, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", p, err
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return response.StatusCode, string(body), p, errors.New("the response is not JSON")
	}
	return response.StatusCode, string(body), p, nil
}

// firstUser is the id of the first user, as the proxy gives it.
func (d *demonstration) firstUser(ctx context.Context) (string, error) {
	status, _, p, err := d.get(ctx, d.sidecar.url()+demoUsers, "")
	if err != nil {
		return "", err
	}
	if status != http.StatusOK || len(p.Value) == 0 {
		return "", fmt.Errorf("asking the proxy for users: status %d, code %q\nhint: see %s", status, p.Error.Code, d.logFile)
	}
	id, _ := p.Value[0]["id"].(string)
	return id, nil
}

// check runs the printed requests and more, reports each, and fails if one is
// off.
func (d *demonstration) check(ctx context.Context, out io.Writer) error {
	failed := 0
	step := func(what string, err error) {
		if err != nil {
			failed++
			fmt.Fprintf(out, "FAIL  %s: %v\n", what, err)
			return
		}
		fmt.Fprintf(out, "ok    %s\n", what)
	}
	header, err := os.ReadFile(d.tokenFile)
	if err != nil {
		return err
	}
	authorization := strings.TrimSpace(strings.TrimPrefix(string(header), "Authorization: "))

	canaries := d.tenant.Graph.Canaries(0)
	step("the tenant shows people in clear to a token for everything", func() error {
		status, body, _, err := d.get(ctx, d.tenant.GraphURL()+demoUsers, authorization)
		if err == nil && (status != 200 || count(body, canaries) == 0) {
			err = fmt.Errorf("status %d, %d values of the first user", status, count(body, canaries))
		}
		return err
	}())
	var first, second page
	step("the proxy serves the same users without a token, and nothing personal", func() (err error) {
		var status int
		var body string
		status, body, first, err = d.get(ctx, d.sidecar.url()+demoUsers, "")
		return errors.Join(err, clean(status, body, canaries))
	}())
	step("the page link leads back to the proxy and works", func() (err error) {
		if d.users <= len(first.Value) {
			if first.Next != "" {
				return errors.New("the only page has a link to another")
			}
			return nil
		}
		if !strings.HasPrefix(first.Next, d.sidecar.url()+"/") {
			return errors.New("the link leads elsewhere")
		}
		var status int
		var body string
		status, body, second, err = d.get(ctx, first.Next, "")
		if err == nil && len(second.Value) > 0 && second.Value[0]["id"] == first.Value[0]["id"] {
			err = errors.New("the second page is the first")
		}
		return errors.Join(err, clean(status, body, canaries))
	}())
	user := ""
	if len(first.Value) > 0 {
		user, _ = first.Value[0]["id"].(string)
	}
	step("the mail of a user is served by token, without subjects and addresses", func() error {
		status, body, p, err := d.get(ctx, d.sidecar.url()+demoMail(user), "")
		if err == nil && len(p.Value) > 0 && p.Value[0]["subject"] != nil {
			err = errors.New("there is a subject")
		}
		return errors.Join(err, clean(status, body, canaries))
	}())
	requests := demoRequests(user)
	for _, connector := range d.connectors {
		step(connector+" serves something of a user by token", func() error {
			if requests[connector] == "" {
				return errors.New("the demo has no request for it")
			}
			status, body, p, err := d.get(ctx, d.sidecar.url()+requests[connector], "")
			if err == nil && !strings.Contains(body, `"id"`) {
				err = fmt.Errorf("nothing came, code %q", p.Error.Code)
			}
			return errors.Join(err, clean(status, body, canaries))
		}())
	}
	for _, denied := range []struct{ what, path, code string }{
		{"a plain user id is refused", demoMail(d.tenant.Graph.UserID(0)), "id_not_pseudonymous"},
		{"a search in hidden text is refused", demoUsers + "&$search=%22displayName:a%22", "query_not_allowed"},
		{"a path that no endpoint serves is refused", "/v1.0/users/" + user + "/contacts", "path_not_allowed"},
		{"/me is refused with the reason", "/v1.0/me", "me_not_served"},
	} {
		step(denied.what, func() error {
			status, _, p, err := d.get(ctx, d.sidecar.url()+denied.path, "")
			if err == nil && (status < 400 || p.Error.Code != denied.code) {
				err = fmt.Errorf("status %d, code %q", status, p.Error.Code)
			}
			return err
		}())
	}
	step("no log holds a token or a person", func() error {
		log, err := os.ReadFile(d.logFile)
		if err == nil && count(string(log), append(canaries, strings.TrimPrefix(authorization, "Bearer "))) > 0 {
			err = errors.New("it does")
		}
		return err
	}())
	if failed > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d checks failed", failed)}
	}
	_, err = fmt.Fprintln(out, "All checks passed.")
	return err
}

func count(text string, values []string) int {
	n := 0
	for _, v := range values {
		if strings.Contains(text, v) {
			n++
		}
	}
	return n
}

func clean(status int, body string, canaries []string) error {
	if n := count(body, canaries); status != 200 || n > 0 {
		return fmt.Errorf("status %d, %d personal values", status, n)
	}
	return nil
}
