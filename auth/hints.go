package auth

import "slices"

// hint is what a failure means here, and what to do about it. Texts are fixed: they name keys of the configuration and things in
// Entra, never what was sent or answered.
type hint struct {
	code    Code
	details []string // those it is for; with neither details nor numbers it is for whatever of the code has no hint of its own
	numbers []int    // AADSTS
	means   string
	next    string
}

// hints is in the order of docs/troubleshooting.md, which is made from it. What a number means is taken from Microsoft's list
// (learn.microsoft.com/entra/identity-platform/reference-error-codes); numbers that are not on it are commented with where they are.
var hints = []hint{
	{code: CodeRejected, numbers: []int{700016},
		means: "The tenant has no application with this client id.",
		next:  "Use the application (client) id, not the object id, and check that tokens.tenant is where the application is registered."},
	{code: CodeRejected, numbers: []int{90002},
		means: "Entra knows no such tenant.",
		next:  "Check tokens.tenant; if the tenant is in a national cloud, set tokens.cloud."},
	{code: CodeRejected, numbers: []int{90038, 900382, 900432},
		means: "The tenant is in another cloud.",
		next:  "Set tokens.cloud to the tenant's cloud, and leave tokens.authority and tokens.scope out."},
	// answers of the service, such as github.com/microsoft/teams.ts/issues: "is missing service principal in the tenant"
	{code: CodeRejected, numbers: []int{7000229},
		means: "The application has no service principal in this tenant.",
		next:  "Let an administrator consent to its permissions, which creates one, or run az ad sp create --id with the client id."},
	{code: CodeRejected, numbers: []int{7000112},
		means: "The application is disabled in this tenant.",
		next:  "An administrator enables it: Entra admin center, Enterprise applications, the application, Properties, Enabled for users to sign-in."},
	// learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity names those of federated credentials
	{code: CodeRejected, numbers: []int{70025},
		means: "The application has no federated credential.",
		next:  "Create the one that graphveil setup prints. If it was created just now, wait: it takes minutes to be seen everywhere."},
	{code: CodeRejected, numbers: []int{70021},
		means: "No federated credential of the application has issuer, subject and audience of the assertion.",
		next:  "Compare it with what graphveil setup prints, letter by letter: case and a slash at the end count. If it was created just now, wait some minutes."},
	{code: CodeRejected, numbers: []int{700211},
		means: "No federated credential of the application has the issuer of the assertion.",
		next:  "Set the credential's issuer to the platform's issuer exactly as it writes it: case and a slash at the end count."},
	{code: CodeRejected, numbers: []int{700212, 7002121},
		means: "No federated credential of the application has the audience of the assertion.",
		next:  "Make them equal: api://AzureADTokenExchange unless the cloud or the platform has its own. graphveil setup prints it."},
	{code: CodeRejected, numbers: []int{700213, 7002131},
		means: "No federated credential of the application has the subject of the assertion.",
		next:  "Set the credential's subject to what the platform sends, in the same case: system:serviceaccount:NAMESPACE:NAME, the role's ARN, the service account's numeric id, or the managed identity's principal id."},
	{code: CodeRejected, numbers: []int{700222, 700226, 700229},
		means: "The assertion is a token of Entra that it does not take as one.",
		next:  "Of Entra's own tokens only those of managed identities are taken, asked for with the audience of the federated credential."},
	// learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
	{code: CodeRejected, numbers: []int{700236},
		means: "The managed identity is of another tenant than the application.",
		next:  "Use an identity of the application's own tenant; across tenants use another credential."},
	{code: CodeRejected, numbers: []int{700223, 700238},
		means: "A policy of the tenant forbids this federated credential.",
		next:  "An administrator of the tenant allows workload identity federation for this issuer, or use a certificate."},
	{code: CodeRejected, numbers: []int{700024},
		means: "The assertion is not valid yet, or not any more.",
		next:  "Check that the file or the platform still gives fresh ones. With a certificate, and if it goes on, set the clock of this machine."},
	{code: CodeRejected, numbers: []int{50013},
		means: "Entra cannot verify the signature of the assertion.",
		next:  "The issuer must publish the key that signs: compare its jwks_uri with the assertion's key id. After a change of keys wait until Entra has read them."},
	// the next three: azure-sdk-for-python, azure-identity's TROUBLESHOOTING.md, and answers of the service
	{code: CodeRejected, numbers: []int{700021, 700023},
		means: "The assertion is for another application, tenant or cloud.",
		next:  "Check client_id, tokens.tenant and tokens.cloud."},
	{code: CodeRejected, numbers: []int{700026},
		means: "The application has no certificate.",
		next:  "Upload the certificate, without its key, to the application in Entra."},
	{code: CodeRejected, numbers: []int{700027},
		means: "The signature does not verify: the application does not have this certificate, or the issuer does not publish this key.",
		next:  "Upload the certificate to the application, or compare the issuer's published keys with the one that signs."},
	// 5002738: answers of the service, "is not a supported signature algorithm"
	{code: CodeRejected, numbers: []int{50027, 5002738},
		means: "The assertion is not a JWT that Entra takes.",
		next:  "It must be signed with RS256 and have iss, sub, aud and exp. See what the issuer of the assertion can be told."},
	// 501661: docs.gitlab.com/ci/cloud_services/azure
	{code: CodeRejected, numbers: []int{50166, 501661},
		means: "Entra cannot read the keys of the assertion's issuer.",
		next:  "ISSUER/.well-known/openid-configuration and the jwks_uri in it must be reachable from the internet over https, with a public certificate, and name this issuer."},
	{code: CodeRejected, numbers: []int{700030},
		means: "Entra does not accept the subject name of the certificate.",
		next:  "Upload this very certificate to the application, and configure it before those of its chain."},
	// the next two: constants of github.com/AzureAD/microsoft-identity-web
	{code: CodeRejected, numbers: []int{1000502, 7000274},
		means: "The certificate is outside its validity dates, by Entra's clock.",
		next:  "A fresh one is accepted once the clocks agree: make it start some minutes earlier, or wait. One that has expired must be replaced."},
	{code: CodeRejected, numbers: []int{7000214, 7000277},
		means: "The certificate is revoked.",
		next:  "Make another, upload it to the application and replace the file."},
	{code: CodeRejected, numbers: []int{7000215},
		means: "The client secret is wrong.",
		next:  "Put the secret's value into the file, not its id; the value is shown once, when it is made."},
	{code: CodeRejected, numbers: []int{7000222},
		means: "The client secret has expired.",
		next:  "Make another, or better: a federated credential, which does not expire."},
	{code: CodeRejected, numbers: []int{70002},
		means: "Entra does not accept the credential: a secret that does not match, or an assertion that was used before.",
		next:  "Replace the secret; let the issuer of the assertion give a fresh one for each request."},
	{code: CodeRejected, numbers: []int{700025},
		means: "The application is registered as a public client.",
		next:  "Switch off Allow public client flows under its Authentication."},
	{code: CodeRejected, numbers: []int{53003, 530032},
		means: "A Conditional Access policy blocks the application.",
		next:  "Entra admin center, Sign-in logs, Service principal sign-ins name the policy: usually it admits other addresses than this one's."},
	{code: CodeRejected, numbers: []int{500011, 50001},
		means: "The tenant has no Microsoft Graph of this scope.",
		next:  "Check tokens.cloud and tokens.tenant, and leave tokens.scope out."},
	{code: CodeRejected, numbers: []int{1002012, 70011},
		means: "Entra does not accept the scope.",
		next:  "Leave tokens.scope out, or set it to https:// and the host of Graph, with /.default behind."},
	{code: CodeRejected, numbers: []int{50049},
		means: "Entra does not know the host of the authority.",
		next:  "Set tokens.cloud and leave tokens.authority out; a private cloud needs tokens.skip_instance_discovery."},
	{code: CodeRejected, numbers: []int{50196},
		means: "Entra sees the same request too often.",
		next:  "Look for processes that restart again and again; it ends by itself some minutes after they do."},
	{code: CodeRejected, numbers: []int{7000216, 7000218, 900144, 9002313, 90014, 70003, 900561},
		means: "Entra received a request that is not the one sent here.",
		next:  "Look for a proxy between here and Entra that changes requests, and except the Entra host from it."},
	{code: CodeRejected,
		means: "Entra refused the request.",
		next:  "Look the number up at https://login.microsoftonline.com/error. Without one the tenant is most often wrong: check tokens.tenant and tokens.cloud."},

	{code: CodeUnreachable, details: []string{"dns"},
		means: "The name of the Entra host was not found.",
		next:  "Let this machine resolve it: login.microsoftonline.com, or the host of tokens.cloud."},
	{code: CodeUnreachable, details: []string{"tls"},
		means: "There is no trusted TLS connection to Entra.",
		next:  "Except the Entra host from TLS inspection, or name the inspecting authority in tokens.ca_file."},
	{code: CodeUnreachable, details: []string{"timeout", "connection"},
		means: "Entra could not be reached.",
		next:  "Allow TCP port 443 to the Entra host from here. Proxies in the environment (HTTPS_PROXY) are not used."},
	{code: CodeUnreachable,
		means: "Entra could not be reached.",
		next:  "Check name resolution, firewall and TLS inspection between here and the Entra host."},
	{code: CodeUnavailable,
		means: "Entra failed.",
		next:  "Wait: it is asked again, and a token that is held serves until it expires."},
	{code: CodeThrottled,
		means: "Entra asks for fewer requests.",
		next:  "Wait: it is asked again when it said. Look for processes that restart again and again."},
	{code: CodeMalformed, details: []string{"not_https"},
		means: "Entra's discovery document names an endpoint without TLS.",
		next:  "Check tokens.authority; nothing was sent there."},
	{code: CodeMalformed, details: []string{"expires_too_soon"},
		means: "The token expires before it could be used.",
		next:  "Lengthen the token lifetime policy of the application in Entra to ten minutes or more."},
	{code: CodeMalformed,
		means: "What answered does not speak as Entra does.",
		next:  "Check tokens.authority, and look for a proxy or a sign-in page between here and Entra."},

	{code: CodeCredential, details: []string{"missing"},
		means: "The file of the credential does not exist.",
		next:  "Check the path, and that the volume is mounted in this container."},
	{code: CodeCredential, details: []string{"permission_denied", "unreadable", "not_a_file"},
		means: "The file of the credential cannot be read.",
		next:  "Let the user of this process read it (fsGroup, in Kubernetes); it must be a regular file."},
	{code: CodeCredential, details: []string{"empty", "not_a_jwt", "too_large"},
		means: "There is no JWT where the credential should have one.",
		next:  "Check that the path, the command or the platform gives the assertion alone, not JSON around it."},
	{code: CodeCredential, details: []string{"aws_no_credentials"},
		means: "There are no AWS credentials here.",
		next:  "Give the workload a role: EKS Pod Identity or a service account's role, a task role, an instance profile. In a container on EC2 the metadata service must be reachable (hop limit 2)."},
	{code: CodeCredential, details: []string{"aws_no_region"},
		means: "No AWS region is known.",
		next:  "Set region in the credential block, or AWS_REGION. STS's global endpoint does not sign assertions."},
	{code: CodeCredential, details: []string{"aws_configuration"},
		means: "The AWS SDK does not accept the environment or the shared configuration files.",
		next:  "Check AWS_PROFILE and the files it names; AWS_CA_BUNDLE must not be set."},
	{code: CodeCredential, details: []string{"aws_access_denied"},
		means: "IAM does not allow the role to get this assertion.",
		next:  "Allow sts:GetWebIdentityToken (or Cognito's GetOpenIdTokenForDeveloperIdentity); compare its conditions on audience, RS256 and 120 seconds, and look for a service control or VPC endpoint policy."},
	{code: CodeCredential, details: []string{"aws_federation_disabled"},
		means: "The AWS account has not enabled outbound identity federation.",
		next:  "An administrator of the account runs aws iam enable-outbound-web-identity-federation."},
	{code: CodeCredential, details: []string{"aws_region_disabled"},
		means: "STS is not activated in this region for the AWS account.",
		next:  "Activate it in IAM's account settings, or set region to another."},
	{code: CodeCredential, details: []string{"aws_bad_credentials"},
		means: "AWS does not accept the credentials of the workload.",
		next:  "Check key, secret and session token belong together and still exist, that the service account's issuer is one that the role trusts, and the clock of this machine."},
	{code: CodeCredential, details: []string{"aws_expired"},
		means: "The AWS credentials have expired, or do so within two minutes.",
		next:  "Credentials in variables are never renewed: use those of the platform. Files are read again at the next attempt."},
	{code: CodeCredential, details: []string{"aws_throttled"},
		means: "AWS asks for fewer requests.",
		next:  "Wait: it is asked again. Look for processes that restart again and again."},
	{code: CodeCredential, details: []string{"aws_unreachable"},
		means: "AWS could not be reached.",
		next:  "Allow TCP port 443 to the region's STS (or Cognito) from here, or set endpoint to a VPC endpoint. Proxies in the environment are not used."},
	{code: CodeCredential, details: []string{"aws_unavailable"},
		means: "AWS failed.",
		next:  "Wait: it is asked again, and a token that is held serves until it expires."},
	{code: CodeCredential, details: []string{"aws_pool_unknown"},
		means: "Cognito has no such identity pool in this region.",
		next:  "Check identity_pool_id and region against the pool."},
	{code: CodeCredential, details: []string{"aws_identity_mismatch"},
		means: "The login stands for another Cognito identity than identity_id.",
		next:  "Leave identity_id out, or set login to the one that the identity was made with."},
	{code: CodeCredential, details: []string{"aws_rejected"},
		means: "AWS does not take the request as it is.",
		next:  "Check the credential block: audience, or Cognito's developer_provider and login."},
	{code: CodeCredential, details: []string{"aws_malformed"},
		means: "What answered does not speak as AWS does, or not over TLS.",
		next:  "Check endpoint and the variables AWS_ENDPOINT_URL, and look for a proxy between here and AWS."},
	{code: CodeCredential,
		means: "There is nothing to sign in with; Entra was not asked.",
		next:  "Check the credential block of the configuration against the platform."},

	{code: CodeTokenRejected,
		means: "Graph rejected token after token; the next is asked for after a pause.",
		next:  "Look in the sign-in log of the service principal, and whether a Conditional Access policy for workload identities blocks this location."},
	{code: CodePending,
		means: "The request to Entra is still running.",
		next:  "Try again; if it stays so, Entra is slow from here."},
}

// Hint says what a failure means and what to do next, in one or two short sentences of fixed text; it is empty for nil and for a code
// that is not of this package. Microsoft changes numbers without notice: a number that is not known gets the hint of its code.
func Hint(err *Error) string {
	if found := hintOf(err); found != nil {
		return found.means + " " + found.next
	}
	return ""
}

func hintOf(err *Error) *hint {
	if err == nil {
		return nil
	}
	var general *hint
	for i := range hints {
		h := &hints[i]
		if h.code != err.Code {
			continue
		}
		if slices.Contains(h.numbers, err.AADSTS) || slices.Contains(h.details, err.Detail) {
			return h
		}
		if h.numbers == nil && h.details == nil {
			general = h
		}
	}
	return general
}
