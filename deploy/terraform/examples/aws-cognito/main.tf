# AWS with an Amazon Cognito identity pool that is there, as Psoxy sets one up: the role that Graphveil runs as may ask the pool for
# tokens. Only the side of AWS: the applications and their federated credentials are there, too. For anything new take ../aws, for
# IAM cannot say *which* identity of the pool the role may ask for.
#
#   terraform init && terraform apply -var role_name=… -var identity_pool_id=…

terraform {
  required_version = ">= 1.7, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.26"
    }
  }
}

variable "role_name" {
  description = "The role that Graphveil runs as."
  type        = string
}

variable "identity_pool_id" {
  description = "The id of the identity pool, as region:GUID."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.identity_pool_id))
    error_message = "The id of an identity pool is its region, a colon and a GUID."
  }
}

locals {
  region = split(":", var.identity_pool_id)[0]
}

provider "aws" {
  region = local.region
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "token" {
  statement {
    actions   = ["cognito-identity:GetOpenIdTokenForDeveloperIdentity"]
    resources = ["arn:${data.aws_partition.current.partition}:cognito-identity:${local.region}:${data.aws_caller_identity.current.account_id}:identitypool/${var.identity_pool_id}"]
  }
}

resource "aws_iam_role_policy" "token" {
  name   = "graphveil-entra-token"
  role   = var.role_name
  policy = data.aws_iam_policy_document.token.json
}
