package auth

import (
	"cmp"
	"context"
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// AWS signs in with a JWT that AWS Security Token Service signs for the role of the workload (sts:GetWebIdentityToken, "outbound
// identity federation": docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound.html). The role's credentials come from the
// SDK's default chain: the environment, a web identity token file (EKS), the shared configuration files, the container credentials
// endpoint (ECS, EKS Pod Identity), EC2's metadata service; see [awsChain].
//
// What an AWS administrator does, once per account: enable it, which also tells the account's issuer (https://ID.tokens.sts.global.api.aws;
// later: aws iam get-outbound-web-identity-federation-info).
//
//	aws iam enable-outbound-web-identity-federation
//
// And allow it to the role of the workload, for this purpose alone (condition keys:
// docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_policies.html). ForAllValues alone would also match a request
// without an audience, which STS does not accept. A VPC endpoint for STS with a policy of its own must allow the action too.
//
//	{"Version": "2012-10-17", "Statement": [{
//	  "Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*",
//	  "Condition": {
//	    "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": "api://AzureADTokenExchange"},
//	    "StringEquals": {"sts:SigningAlgorithm": "RS256"},
//	    "NumericLessThanEquals": {"sts:DurationSeconds": 120}}}]}
//
// The federated credential of the Entra application has the account's issuer, without a slash at the end; as its subject the ARN of the
// role itself, arn:aws:iam::ACCOUNT:role/NAME with its path, not that of the assumed role; and Audience. Every workload that has the role
// is the application: give it a role of its own.
type AWS struct {
	// Region whose STS is asked, such as "eu-central-1". Empty: that of the SDK's chain (AWS_REGION, the shared configuration, on EC2 the
	// instance's). STS's global endpoint does not have this action.
	Region string `yaml:"region"`
	// Audience of the assertion. Empty: the cloud's.
	Audience string `yaml:"audience"`
	// Endpoint is the https URL of STS's host, such as that of a VPC endpoint. Empty: the region's.
	Endpoint string `yaml:"endpoint"`
}

const (
	// awsAlgorithm is the one that Entra accepts of the two that STS has.
	awsAlgorithm = "RS256"
	// awsAssertionSeconds is the life of an assertion. It is used at once; the rest is for clocks. STS gives none that outlives the
	// role's credentials, so short ones help near their end.
	awsAssertionSeconds = 120
)

func (a *AWS) validate(cloud Cloud) error {
	a.Audience = cmp.Or(a.Audience, cloud.Audience)
	return checkAWS(a.Region, &a.Endpoint)
}

func (a *AWS) prover(n network, _ string) (prover, error) {
	chain := newAWSChain(n, a.Region)
	return assertions(func(ctx context.Context) (string, error) {
		return chain.assertion(ctx, func(ctx context.Context, cfg aws.Config) (*string, error) {
			client := sts.NewFromConfig(cfg, func(o *sts.Options) {
				o.HTTPClient = chain.service
				if a.Endpoint != "" {
					o.BaseEndpoint = &a.Endpoint
				}
			})
			answer, err := client.GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{
				Audience:         []string{a.Audience},
				SigningAlgorithm: aws.String(awsAlgorithm),
				DurationSeconds:  aws.Int32(awsAssertionSeconds),
			})
			if err != nil {
				return nil, err
			}
			return answer.WebIdentityToken, nil
		})
	}), nil
}

// awsRegion is the form of a region's name. The pseudo-regions of global endpoints ("aws-global") do not have it.
var awsRegion = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$`)

// checkAWS holds what both blocks have against its form.
func checkAWS(region string, endpoint *string) error {
	if region != "" && !awsRegion.MatchString(region) {
		return errors.New("region is not the name of a region\nhint: one such as eu-central-1; the global endpoint does not do this")
	}
	if *endpoint != "" {
		origin, err := originOf(*endpoint)
		if err != nil {
			return errors.New("endpoint is not an https URL of a host alone")
		}
		*endpoint = origin
	}
	return nil
}
