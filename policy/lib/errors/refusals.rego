package graphveil.errors

# METADATA
# title: me
# description: |
#   Graph answers `/me` for a signed-in user only. The sidecar's token belongs to
#   an application, so the request could not succeed upstream either.
me := {
	"path": "/v1.0/me",
	"code": "me_not_served",
	"message": "The /me path needs the token of a signed-in user, and this service uses an application token. Call /v1.0/users/{id} with the id that /v1.0/users returns.",
}

# METADATA
# title: beta
# description: Connectors serve Graph v1.0; what beta returns may change any day.
beta := {
	"path": "/beta",
	"code": "beta_not_served",
	"message": "Microsoft Graph beta is not served here. Call the same path under /v1.0.",
}
