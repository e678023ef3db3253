# How the workload proves that it is the application: a token of its own platform, whose issuer, subject and audience Entra compares
# with these to the letter. Applications that sign in with a certificate or a secret have none of this; those are not made here, for
# the state would hold them.

locals {
  claims = ["issuer", "subject", "audience"]

  # What the setup file says, and where it says nothing, what the variable says.
  federated = {
    for key, a in local.applications : key => {
      for claim in local.claims : claim => a.credential.federated[claim] != "" ? a.credential.federated[claim] : var.federated_identity[claim]
    } if a.credential.federated != null
  }
}

resource "azuread_application_federated_identity_credential" "this" {
  for_each = local.federated

  application_id = azuread_application.this[each.key].id
  display_name   = local.applications[each.key].credential.federated.name
  description    = "The workload that Graphveil runs in"
  issuer         = each.value.issuer
  subject        = each.value.subject
  audiences      = [each.value.audience]

  lifecycle {
    precondition {
      condition     = alltrue([for claim in local.claims : each.value[claim] != null && each.value[claim] != ""])
      error_message = "Neither the setup file nor federated_identity says which token ${each.key} is to trust: issuer, subject and audience. Write the file again with --issuer and --subject."
    }

    precondition {
      condition     = alltrue([for claim in local.claims : var.federated_identity[claim] == null || var.federated_identity[claim] == each.value[claim]])
      error_message = "The setup file and federated_identity say different things of the token that ${each.key} is to trust. Leave one of them out."
    }

    precondition {
      condition     = can(regex("^https://[^ ]*[^ /]$", each.value.issuer))
      error_message = "The issuer of ${each.key} must be an https URL without a slash at its end, as in the token: Entra compares to the letter."
    }
  }
}
