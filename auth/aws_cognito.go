package auth

import (
	"cmp"
	"context"
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
)

// AWSCognito signs in with a JWT that a Cognito identity pool gives for a developer identity
// (docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetOpenIdTokenForDeveloperIdentity.html). It is for set-ups that exist,
// Psoxy's among them: [AWS] needs no pool and can be limited better. The credentials come from the same chain.
//
// The federated credential of the Entra application has the issuer https://cognito-identity.amazonaws.com, the identity's id
// (REGION:GUID) as its subject and the pool's id as its audience. The first request with a login makes its identity.
//
// The role of the workload needs this, and no more can be said: IAM has no condition on the login, so whoever may call it for a pool may
// have a token of every identity of that pool, of every application that signs in through it. Use a pool for nothing else, or [AWS].
//
//	{"Version": "2012-10-17", "Statement": [{
//	  "Effect": "Allow", "Action": "cognito-identity:GetOpenIdTokenForDeveloperIdentity",
//	  "Resource": "arn:aws:cognito-identity:REGION:ACCOUNT:identitypool/REGION:GUID"}]}
type AWSCognito struct {
	// Region of the pool. Empty: the one that the pool's id begins with.
	Region string `yaml:"region"`
	// IdentityPoolID is REGION:GUID. Required.
	IdentityPoolID string `yaml:"identity_pool_id"`
	// DeveloperProvider is the pool's developer provider name. Required.
	DeveloperProvider string `yaml:"developer_provider"`
	// Login is the developer user identifier. Empty: the client id of the application, in lower case.
	Login string `yaml:"login"`
	// IdentityID is the identity that the login must stand for, REGION:GUID. Empty: whichever it does.
	IdentityID string `yaml:"identity_id"`
	// Endpoint is the https URL of Cognito's host. Empty: the region's.
	Endpoint string `yaml:"endpoint"`
}

// cognitoID is the form of ids of pools and identities.
var cognitoID = regexp.MustCompile(`^([a-z0-9-]+):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// cognitoSeconds is the life of an assertion. It is used at once; the rest is for clocks.
const cognitoSeconds = 300

func (c *AWSCognito) validate(Cloud) error {
	pool := cognitoID.FindStringSubmatch(c.IdentityPoolID)
	switch {
	case pool == nil:
		return errors.New("identity_pool_id is not of the form REGION:GUID")
	case c.DeveloperProvider == "":
		return errors.New("no developer_provider\nhint: it is the developer provider name in the pool's settings")
	case c.IdentityID != "" && !cognitoID.MatchString(c.IdentityID):
		return errors.New("identity_id is not of the form REGION:GUID")
	}
	c.Region = cmp.Or(c.Region, pool[1])
	return checkAWS(c.Region, &c.Endpoint)
}

func (c *AWSCognito) prover(n network, clientID string) (prover, error) {
	chain := newAWSChain(n, c.Region)
	input := cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
		IdentityPoolId: &c.IdentityPoolID,
		Logins:         map[string]string{c.DeveloperProvider: cmp.Or(c.Login, clientID)},
		TokenDuration:  aws.Int64(cognitoSeconds),
	}
	if c.IdentityID != "" {
		input.IdentityId = &c.IdentityID
	}
	return assertions(func(ctx context.Context) (string, error) {
		return chain.assertion(ctx, func(ctx context.Context, cfg aws.Config) (*string, error) {
			client := cognitoidentity.NewFromConfig(cfg, func(o *cognitoidentity.Options) {
				o.HTTPClient = chain.service
				if c.Endpoint != "" {
					o.BaseEndpoint = &c.Endpoint
				}
			})
			answer, err := client.GetOpenIdTokenForDeveloperIdentity(ctx, &input)
			if err != nil {
				return nil, err
			}
			return answer.Token, nil
		})
	}), nil
}
