# The Entra side; the same in every example.

variable "setup" {
  description = "The file of `graphveil setup --format json`."
  type        = string
  default     = "setup.json"
}

variable "existing_applications" {
  description = "Applications that an administrator made for you: key in the setup file => object id."
  type        = map(string)
  default     = {}
}

variable "owners" {
  description = "Object ids of people who own new applications beside you."
  type        = set(string)
  default     = []
}

variable "grant_consent" {
  description = "Grant the permissions, too. Needs Privileged Role Administrator."
  type        = bool
  default     = false
}

locals {
  setup = jsondecode(file(var.setup))
}

# Signed in as the Azure CLI is (az login --allow-no-subscriptions), in the cloud and the tenant of the setup file.
provider "azuread" {
  environment = { global = "global", us_government = "usgovernmentl4", us_dod = "usgovernmentl5", china = "china" }[local.setup.cloud]
  tenant_id   = local.setup.tenant == "" ? null : local.setup.tenant
}

import {
  for_each = var.existing_applications
  to       = module.entra.azuread_application.this[each.key]
  id       = "/applications/${each.value}"
}

module "entra" {
  source = "../../entra"

  setup                 = var.setup
  existing_applications = var.existing_applications
  owners                = var.owners
  federated_identity    = local.federated_identity
  grant_consent         = var.grant_consent
}

output "configuration" {
  description = "For graphveil.yaml: terraform output -raw configuration"
  value       = module.entra.configuration
}

output "object_ids" {
  description = "Of the applications: what existing_applications wants."
  value       = module.entra.object_ids
}

output "admin_document" {
  description = "What is left to an administrator: terraform output -raw admin_document > admin.md"
  value       = module.entra.admin_document
}
