# Google Cloud: a service account whose identity tokens, from the metadata server, prove who the workload is. It has no key and no
# role in the project: it is a name, nothing else.
#
#   graphveil setup --platform gcp --format json > setup.json
#   terraform init && terraform apply -var project=…

terraform {
  required_version = ">= 1.7, < 2.0"

  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.9"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
  }
}

variable "project" {
  description = "The project that the service account is made in."
  type        = string
}

variable "service_account" {
  description = "The name of the service account, before the @."
  type        = string
  default     = "graphveil"
}

variable "kubernetes_service_account" {
  description = "On GKE with Workload Identity: the one Kubernetes service account, as \"namespace/name\", that may act as the service account. Empty elsewhere: there the service account is attached to the service or the machine."
  type        = string
  default     = ""

  validation {
    condition     = var.kubernetes_service_account == "" || can(regex("^[a-z0-9-]+/[a-z0-9.-]+$", var.kubernetes_service_account))
    error_message = "Name it as namespace/name."
  }
}

provider "google" {
  project = var.project
}

resource "google_service_account" "graphveil" {
  account_id   = var.service_account
  display_name = "Graphveil"
  description  = "Proves to Microsoft Entra who Graphveil is; no key, no role."
}

resource "google_service_account_iam_member" "kubernetes" {
  count = var.kubernetes_service_account == "" ? 0 : 1

  service_account_id = google_service_account.graphveil.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.kubernetes_service_account}]"
}

locals {
  # The subject is the number of the service account. With its address Entra answers AADSTS70021.
  federated_identity = {
    issuer  = "https://accounts.google.com"
    subject = google_service_account.graphveil.unique_id
  }
}

output "service_account" {
  description = "What the service, the machine or (as the annotation iam.gke.io/gcp-service-account) the Kubernetes service account names."
  value       = google_service_account.graphveil.email
}
