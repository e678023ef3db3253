package platform

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// stsAudience is the one that AWS expects in tokens of identity providers, such as those of an EKS cluster.
const stsAudience = "sts.amazonaws.com"

// AWSTrust is the trust policy of a role for the service accounts of a cluster (EKS: IAM roles for service accounts).
type AWSTrust struct {
	Issuer, Subject string
	Keys            *jose.JSONWebKeySet
}

type stsRole struct {
	XMLName    xml.Name `xml:"AssumeRoleWithWebIdentityResponse"`
	Namespace  string   `xml:"xmlns,attr"`
	Key        string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	Secret     string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	Session    string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	Expiration string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	ARN        string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>Arn"`
	Subject    string   `xml:"AssumeRoleWithWebIdentityResult>SubjectFromWebIdentityToken"`
	RequestID  string   `xml:"ResponseMetadata>RequestId"`
}

// assumeRole answers AssumeRoleWithWebIdentity, which is not signed: the token stands for the caller
// (docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
func (a *AWS) assumeRole(w http.ResponseWriter, form url.Values) *awsRefusal {
	invalid := &awsRefusal{"InvalidIdentityToken", "", http.StatusBadRequest, "Couldn't retrieve verification key from your identity provider"}
	denied := &awsRefusal{"AccessDenied", "", http.StatusForbidden, "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
	var claims jwt.Claims
	token, err := jwt.ParseSigned(form.Get("WebIdentityToken"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || form.Get("RoleSessionName") == "" {
		return invalid
	}
	trust := a.role(form.Get("RoleArn")).Trust
	switch {
	case trust == nil:
		return denied
	case token.Claims(trust.Keys, &claims) != nil || claims.Issuer != trust.Issuer || !slices.Contains(claims.Audience, stsAudience):
		return invalid
	case claims.Expiry == nil || !a.cfg.Now().Before(claims.Expiry.Time()):
		return &awsRefusal{"ExpiredTokenException", "", http.StatusBadRequest, "Token expired: current date/time must be before the expiration date/time"}
	case claims.Subject != trust.Subject:
		return denied
	}
	key := a.NewSession(form.Get("RoleArn"), a.cfg.SessionLifetime)
	a.count(func(s *AWSStats) { s.Sessions++ })
	writeXML(w, http.StatusOK, stsRole{Namespace: stsNamespace, Key: key.ID, Secret: key.Secret, Session: key.Session,
		Expiration: awsInstant(key.Expiry), ARN: assumed(key.Role), Subject: claims.Subject, RequestID: awsGUID()})
	return nil
}
