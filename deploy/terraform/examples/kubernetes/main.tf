# Everything is in the setup file: Kubernetes, and whatever else has an issuer and a subject that are known beforehand (SPIFFE, an
# Azure managed identity, a certificate).
#
#   graphveil setup --platform kubernetes --issuer https://… --namespace … --service-account … --format json > setup.json
#   terraform init && terraform apply
#
# The issuer is what the cluster says of itself: kubectl get --raw /.well-known/openid-configuration

terraform {
  required_version = ">= 1.7, < 2.0"

  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.9"
    }
  }
}

locals {
  federated_identity = {}
}
