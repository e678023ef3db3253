package setup

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// platform is a way to sign in, by the name of its block in the configuration.
type platform struct {
	title string
	// secret ones have no federated credential.
	secret bool
	// issuer and audience are what they always are; empty: they depend.
	issuer string
	// noAudience says that the cloud's audience is not the usual one.
	noAudience bool
	// bare says that its block of the configuration can do without a key.
	bare bool
	// find says how to find out the issuer, subject and audience that are missing.
	find map[string]string
}

var platforms = map[string]platform{
	"kubernetes": {
		title: "a projected token of a Kubernetes service account", bare: true,
		find: map[string]string{
			"issuer":  "`kubectl get --raw /.well-known/openid-configuration` shows it as `issuer` (EKS: `aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer`; AKS: `az aks show -n CLUSTER -g GROUP --query oidcIssuerProfile.issuerUrl`). Entra must be able to reach its keys over the internet",
			"subject": "it is `system:serviceaccount:NAMESPACE:NAME` of the pod's service account (--namespace, --service-account)",
		},
	},
	"aws": {
		title: "a token of AWS STS (outbound identity federation)", bare: true,
		find: map[string]string{
			"issuer":  "each AWS account has its own: `aws iam enable-outbound-web-identity-federation` once, then `aws iam get-outbound-web-identity-federation-info`",
			"subject": "it is the ARN of the IAM role that Graphveil runs as, `arn:aws:iam::ACCOUNT:role/NAME`",
		},
	},
	"aws_cognito": {
		title: "a token of an Amazon Cognito identity pool", issuer: "https://cognito-identity.amazonaws.com", noAudience: true,
		find: map[string]string{
			"subject":  "it is the identity id in the pool, `REGION:GUID`",
			"audience": "it is the id of the identity pool, `REGION:GUID`",
		},
	},
	"gcp": {
		title: "an identity token of a Google Cloud service account", bare: true, issuer: "https://accounts.google.com",
		find: map[string]string{
			"subject": "it is the *numeric* id of the service account, not its address: `gcloud iam service-accounts describe ADDRESS --format='value(uniqueId)'`",
		},
	},
	"azure": {
		title: "a token of an Azure managed identity",
		find: map[string]string{
			"issuer":  "it is the tenant's, `https://login.microsoftonline.com/TENANT_ID/v2.0` (--tenant with the id)",
			"subject": "it is the object (principal) id of the managed identity: `az identity show -n NAME -g GROUP --query principalId`",
		},
	},
	"spiffe": {
		title: "a SPIFFE JWT-SVID",
		find: map[string]string{
			"issuer":  "it is the URL of the trust domain's OIDC discovery provider, the `iss` of its JWT-SVIDs",
			"subject": "it is the SPIFFE id, `spiffe://TRUST_DOMAIN/PATH`",
		},
	},
	"file":          {title: "an assertion from a file", find: anyIssuer},
	"command":       {title: "an assertion from a command", find: anyIssuer},
	"certificate":   {title: "a certificate", secret: true},
	"client_secret": {title: "a client secret", secret: true},
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// plain is what a federated credential can hold and a command can quote: printable ASCII without the backtick, 600 characters at most
// (learn.microsoft.com/graph/api/resources/federatedidentitycredential).
var plain = regexp.MustCompile("^[ -_a-~]{1,600}$")

// permissionName is what a permission can be called; it stands in commands.
var permissionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$`)

// tenant is an id or a domain name.
var tenant = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

var anyIssuer = map[string]string{
	"issuer":  "it is the `iss` claim of the assertion",
	"subject": "it is the `sub` claim of the assertion",
}

// Platforms are the names of the ways to sign in, sorted.
func Platforms() []string { return slices.Sorted(maps.Keys(platforms)) }

// trust completes the credential of an application: what its platform always has, and what is missing.
func (t Target) trust(a Application) (Credential, error) {
	c := a.Credential
	p, ok := platforms[c.Kind]
	if !ok && c.Kind != "" {
		return c, fmt.Errorf("platform %q is not known\nhint: use one of %s", c.Kind, strings.Join(Platforms(), ", "))
	}
	if p.secret {
		c.Federated = nil
		return c, nil
	}
	f := Federated{}
	if c.Federated != nil {
		f = *c.Federated
	}
	f.Name = "graphveil"
	if a.Key != sharedKey {
		f.Name += "-" + strings.ReplaceAll(a.Key, "_", "-")
	}
	if f.Issuer == "" {
		f.Issuer = p.issuer
	}
	if f.Issuer == "" && c.Kind == "azure" && guid.MatchString(t.Tenant) && t.Authority != "" {
		f.Issuer = t.Authority + "/" + strings.ToLower(t.Tenant) + "/v2.0"
	}
	if f.Audience == "" && !p.noAudience {
		f.Audience = t.Audience
	}
	f.Missing = nil
	if f.Issuer != "" && !strings.HasPrefix(f.Issuer, "https://") {
		return c, fmt.Errorf("the issuer %q is no https URL\nhint: it is the iss claim of the token, as it is written there", f.Issuer)
	}
	for _, field := range []struct{ name, value string }{{"issuer", f.Issuer}, {"subject", f.Subject}, {"audience", f.Audience}} {
		switch {
		case field.value == "":
			f.Missing = append(f.Missing, field.name)
		case !plain.MatchString(field.value):
			return c, fmt.Errorf("the %s is more than 600 characters, or has some that no token has", field.name)
		}
	}
	c.Federated = &f
	return c, nil
}
