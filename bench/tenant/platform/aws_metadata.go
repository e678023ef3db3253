package platform

import (
	"crypto/rand"
	"io"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"
)

// Metadata is the instance metadata service of an EC2 instance that has the role, version 2 alone
// (docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html): every answer needs a session token, which a
// PUT with a time to live gives, and which no proxy may ask for.
func (a *AWS) Metadata(role string) http.Handler {
	const tokenHeader, lifeHeader = "X-Aws-Ec2-Metadata-Token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	const maxLife = 21600
	name := path.Base(role) // of the role, without its path
	var mu sync.Mutex
	tokens := make(map[string]time.Time)
	text := func(w http.ResponseWriter, status int, content string) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, content) // the client is gone: nobody is left to tell
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		life, err := strconv.Atoi(r.Header.Get(lifeHeader))
		if err != nil || life < 1 || life > maxLife {
			text(w, http.StatusBadRequest, "")
			return
		}
		if r.Header.Get("X-Forwarded-For") != "" {
			text(w, http.StatusForbidden, "")
			return
		}
		token := rand.Text()
		mu.Lock()
		tokens[token] = a.cfg.Now().Add(time.Duration(life) * time.Second)
		mu.Unlock()
		w.Header().Set(lifeHeader, strconv.Itoa(life))
		text(w, http.StatusOK, token)
	})
	guarded := func(serve func(w http.ResponseWriter)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			expiry, known := tokens[r.Header.Get(tokenHeader)]
			mu.Unlock()
			if !known || !a.cfg.Now().Before(expiry) {
				text(w, http.StatusUnauthorized, "")
				return
			}
			serve(w)
		}
	}
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/{$}", guarded(func(w http.ResponseWriter) { text(w, http.StatusOK, name) }))
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/"+name, guarded(func(w http.ResponseWriter) {
		key := a.handOut(role)
		writeAWS(w, http.StatusOK, "text/plain", map[string]string{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": awsInstant(a.cfg.Now()),
			"AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.Session, "Expiration": awsInstant(key.Expiry)})
	}))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", guarded(func(w http.ResponseWriter) {
		writeAWS(w, http.StatusOK, "text/plain", map[string]string{"accountId": a.account, "region": a.cfg.Region, "version": "2017-09-30"})
	}))
	return mux
}

// Container is the credentials endpoint of an ECS task or of an EKS pod identity agent
// (docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html), at whatever path. The Authorization header must be the
// given one exactly; empty: none may come.
func (a *AWS) Container(role, authorization string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != authorization {
			writeAWS(w, http.StatusUnauthorized, "application/json", map[string]string{"code": "AccessDenied", "message": "unauthorized"})
			return
		}
		key := a.handOut(role)
		writeAWS(w, http.StatusOK, "application/json", map[string]string{"RoleArn": role, "AccountId": a.account,
			"AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.Session, "Expiration": awsInstant(key.Expiry)})
	})
}

func (a *AWS) handOut(role string) AWSKey {
	a.count(func(s *AWSStats) { s.Sessions++ })
	return a.NewSession(role, a.cfg.SessionLifetime)
}

func awsInstant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
