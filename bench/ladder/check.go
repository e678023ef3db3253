package ladder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"crypto/tls"
)

// check asks a rung once for all of a page, and judges the answers. It returns their lengths by URL.
func (s *site) check(ctx context.Context, r *rung, p *page) (map[string]int64, error) {
	client := s.client()
	defer client.CloseIdleConnections()
	lengths := map[string]int64{}
	for _, a := range p.asked {
		response, err := get(ctx, client, r.url+a.target)
		if err != nil {
			return nil, fmt.Errorf("asking %s for %s: %w", r.subject, p.name, err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil {
			err = a.judge(r.subject, body)
		}
		if err != nil {
			return nil, fmt.Errorf("asking %s for %s: %w", r.subject, p.name, err)
		}
		lengths[response.Request.URL.String()] = int64(len(body))
	}
	return lengths, nil
}

// judge compares the answer that came with the one that Graph gives.
func (a asked) judge(subject string, body []byte) error {
	if subject != graphveil {
		sent := a.wire
		if sent == nil {
			sent = a.body
		}
		if !bytes.Equal(body, sent) {
			return fmt.Errorf("%d bytes came, which are not the %d sent", len(body), len(sent))
		}
		return nil
	}
	if !json.Valid(body) {
		return fmt.Errorf("%d bytes came, which are not JSON", len(body))
	}
	// Each message and each user has an id, and addresses that become pseudonyms.
	const id, pseudonym = `"id":`, `"t~`
	if had, has := bytes.Count(a.body, []byte(id)), bytes.Count(body, []byte(id)); has == 0 || has != had {
		return fmt.Errorf("%d of %d ids came", has, had)
	}
	if !bytes.Contains(body, []byte(pseudonym)) {
		return errors.New("no pseudonym came")
	}
	folded := bytes.ToLower(body)
	for _, address := range addresses(a.body) {
		if bytes.Contains(folded, bytes.ToLower(address)) {
			return errors.New("an address came as it was")
		}
	}
	return nil
}

// client asks one thing after another, over HTTP/2.
func (s *site) client() *http.Client {
	return &http.Client{
		Timeout: 2 * time.Minute,
		Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{RootCAs: s.tenant.CA.Pool()},
			ForceAttemptHTTP2:  true,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get fails on every status but 200.
func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300)) // an error of Graphveil or Envoy about made-up data
		response.Body.Close()
		return nil, fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	return response, nil
}
