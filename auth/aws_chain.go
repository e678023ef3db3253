package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Ceilings within one attempt, which has attemptTimeout for AWS and Entra together.
const (
	awsTimeout            = 15 * time.Second
	awsCredentialsTimeout = 8 * time.Second // part of awsTimeout: elsewhere than on EC2 the metadata service does not answer at all
	awsAttempts           = 3
	awsMaxBackoff         = 2 * time.Second
)

// awsExpiryWindow is how long before their end credentials are renewed: an assertion must not outlive them, and clocks differ.
const awsExpiryWindow = 5 * time.Minute

// awsChain is the SDK's default configuration with its chain of AWS credentials, loaded at the first token request and kept, with the
// credentials' own renewal, while they serve. It is used by one goroutine at a time.
//
// The SDK reads its usual variables and files. It uses our network: no proxy, our limits. The services are asked over TLS alone; plain
// HTTP is for the sources of credentials, which have nothing else. The SDK takes AWS_CA_BUNDLE for clients of its own alone, and fails
// loading when it is set; SSL_CERT_FILE is for all.
type awsChain struct {
	region  string
	service *http.Client // for STS and Cognito
	sources *http.Client // for metadata services
	loaded  *aws.Config  // nil: to be loaded
}

func newAWSChain(n network, region string) *awsChain {
	return &awsChain{region: region, service: n.client(false), sources: n.client(true)}
}

// assertion asks a service for an assertion with the credentials of the chain.
func (c *awsChain) assertion(ctx context.Context, ask func(context.Context, aws.Config) (*string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	cfg, failed := c.config(ctx)
	if failed != nil {
		return "", failed
	}
	assertion, err := ask(ctx, cfg)
	if err != nil {
		failed := awsFailure(err)
		if failed.detail == "aws_expired" || failed.detail == "aws_bad_credentials" {
			c.loaded = nil // files may have changed since: the SDK reads them once
		}
		return "", failed
	}
	return checkAssertion([]byte(aws.ToString(assertion)))
}

// config loads the chain if it is not, and sees to it that there are credentials, so that what fails here is told from what the service
// says.
func (c *awsChain) config(ctx context.Context) (aws.Config, *credentialError) {
	ctx, cancel := context.WithTimeout(ctx, awsCredentialsTimeout)
	defer cancel()
	if c.loaded == nil {
		cfg, err := config.LoadDefaultConfig(ctx, c.options()...)
		switch {
		case err != nil:
			var imds *smithy.OperationError
			if errors.As(err, &imds) { // the region is the only thing that is asked for here
				return cfg, &credentialError{detail: "aws_no_region"}
			}
			return cfg, &credentialError{detail: "aws_configuration"}
		case !awsRegion.MatchString(cfg.Region):
			return cfg, &credentialError{detail: "aws_no_region"}
		}
		c.loaded = &cfg
	}
	if _, err := c.loaded.Credentials.Retrieve(ctx); err != nil {
		c.loaded = nil
		var operation *smithy.OperationError
		if errors.As(err, &operation) && operation.ServiceID == "STS" { // assuming a role
			return aws.Config{}, awsFailure(err)
		}
		return aws.Config{}, &credentialError{detail: "aws_no_credentials"}
	}
	return *c.loaded, nil
}

func (c *awsChain) options() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(c.sources),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = c.sources }), // else the SDK's own, with a proxy
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = awsAttempts, awsMaxBackoff })
		}),
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = awsExpiryWindow }),
		config.WithLogger(logging.Nop{}),
		config.WithClientLogMode(0),
	}
	if c.region != "" {
		return append(options, config.WithRegion(c.region))
	}
	return append(options, config.WithEC2IMDSRegion(func(o *config.UseEC2IMDSRegion) {
		o.Client = imds.New(imds.Options{HTTPClient: c.sources})
	}))
}

// awsDetails are the words for the codes of AWS's services, which say "Exception" behind some of them. The codes are those of
// docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, of the two actions, and of AssumeRole.
var awsDetails = map[string]string{
	"AccessDenied":                          "aws_access_denied",
	"NotAuthorized":                         "aws_access_denied",
	"ExpiredToken":                          "aws_expired",
	"SessionDurationEscalation":             "aws_expired",
	"InvalidClientTokenId":                  "aws_bad_credentials",
	"UnrecognizedClient":                    "aws_bad_credentials",
	"MissingAuthenticationToken":            "aws_bad_credentials",
	"IncompleteSignature":                   "aws_bad_credentials",
	"SignatureDoesNotMatch":                 "aws_bad_credentials",
	"InvalidSignature":                      "aws_bad_credentials",
	"InvalidIdentityToken":                  "aws_bad_credentials",
	"IDPRejectedClaim":                      "aws_bad_credentials",
	"Throttling":                            "aws_throttled",
	"RequestLimitExceeded":                  "aws_throttled",
	"TooManyRequests":                       "aws_throttled",
	"LimitExceeded":                         "aws_throttled",
	"OutboundWebIdentityFederationDisabled": "aws_federation_disabled",
	"RegionDisabled":                        "aws_region_disabled",
	"ResourceNotFound":                      "aws_pool_unknown",
	"DeveloperUserAlreadyRegistered":        "aws_identity_mismatch",
	"ResourceConflict":                      "aws_identity_mismatch",
}

// awsFailure reduces an error of the SDK to a word. No text of it survives.
func awsFailure(err error) *credentialError {
	failed := &credentialError{detail: "aws_malformed"}
	status := 0
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		status = response.HTTPStatusCode()
		failed.retryAfter = retryAfter(response.Response.Header, time.Now())
	}
	var refused smithy.APIError
	known := false
	if errors.As(err, &refused) {
		failed.detail, known = awsDetails[strings.TrimSuffix(refused.ErrorCode(), "Exception")]
	}
	switch {
	case known:
	case status == http.StatusTooManyRequests:
		failed.detail = "aws_throttled"
	case status >= 500:
		failed.detail = "aws_unavailable"
	case status >= 400:
		failed.detail = "aws_rejected"
	case errors.Is(err, errTooLarge), errors.Is(err, errNotHTTPS):
		failed.detail = "aws_malformed"
	case networkDetail(err) != "":
		failed.detail = "aws_unreachable"
	default:
		failed.detail = "aws_malformed"
	}
	return failed
}
