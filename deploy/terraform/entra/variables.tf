variable "setup" {
  description = "The file that `graphveil setup --format json` wrote: which applications, which permissions, which federated credential."
  type        = string

  validation {
    condition     = can(jsondecode(file(var.setup)).applications) && try(jsondecode(file(var.setup)).schema, 0) == 1
    error_message = "This is not a file of `graphveil setup --format json` with schema 1. Write it again with the graphveil of the same release as this module."
  }

  validation {
    condition     = contains(["global", "us_government", "us_dod", "china"], try(jsondecode(file(var.setup)).cloud, ""))
    error_message = "The setup file is for a private cloud, which the provider does not know. Follow what `graphveil setup` prints instead."
  }
}

variable "existing_applications" {
  description = "Applications that an administrator made for you: the application's key in the setup file => its object id (not its client id). The calling folder imports them; here it only tells whose service principal is left alone."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for id in values(var.existing_applications) : can(regex("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", id))])
    error_message = "An object id is a GUID, as the page of the application shows it under \"Object ID\"."
  }
}

variable "owners" {
  description = "Object ids of people who own the applications beside whoever applies this. Set when an application is made, and not touched later."
  type        = set(string)
  default     = []
}

variable "federated_identity" {
  description = "Issuer, subject and audience of the workload's token where the setup file leaves them empty, because they are made by Terraform, too (a role of AWS, a service account of Google Cloud)."
  type = object({
    issuer   = optional(string)
    subject  = optional(string)
    audience = optional(string)
  })
  default = {}
}

variable "grant_consent" {
  description = "Also grant the permissions, tenant-wide. Needs Privileged Role Administrator; false leaves it to that person, with the admin document."
  type        = bool
  default     = false
}
