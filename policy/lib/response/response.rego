# METADATA
# title: Response
# description: What of a response is not its body.
package graphveil.response

# METADATA
# title: headers
# description: |
#   The response headers that reach the caller, in lower case; every other one is
#   removed. Left out on purpose: `x-ms-throttle-scope` (ids of application,
#   tenant and user), `x-ms-ags-diagnostic` and the like (inner servers),
#   `location` and `link` (they lead past the sidecar), `etag` and `last-modified`
#   (they describe the original body), `set-cookie`.
headers := {
	"cache-control",
	"client-request-id",
	"content-type",
	"date",
	"deprecation",
	"odata-version",
	"preference-applied",
	"ratelimit-limit",
	"ratelimit-remaining",
	"ratelimit-reset",
	"request-id",
	"retry-after",
	"sunset",
	"x-ms-resource-unit",
	"x-ms-throttle-limit-percentage",
}
