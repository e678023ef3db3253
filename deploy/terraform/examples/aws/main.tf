# AWS: the account signs tokens for its roles (IAM outbound identity federation), and one role may have them, for Entra only.
#
#   graphveil setup --platform aws --format json > setup.json
#   terraform init && terraform apply -var region=…

terraform {
  required_version = ">= 1.7, < 2.0"

  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.9"
    }
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.26" # the first with aws_iam_outbound_web_identity_federation
    }
  }
}

variable "region" {
  description = "The region of the STS endpoint that signs: the global endpoint does not."
  type        = string
}

variable "role_name" {
  description = "The role that Graphveil runs as. Made here, unless existing_role says that it is there."
  type        = string
  default     = "graphveil"
}

variable "existing_role" {
  description = "The role is there already: only the permission is added to it. What is made here is for tasks of ECS; everywhere else (EC2, EKS, Lambda) bring the role that the workload has."
  type        = bool
  default     = false
}

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

# A switch of the whole account: it is taken over if it is on, and removing it would stop everybody who uses it. Hence
# prevent_destroy; README.md says how to leave it on.
resource "aws_iam_outbound_web_identity_federation" "account" {
  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "graphveil" {
  count = var.existing_role ? 0 : 1

  name               = var.role_name
  description        = "Graphveil: may prove to Microsoft Entra who it is, nothing else."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_role" "existing" {
  count = var.existing_role ? 1 : 0

  name = var.role_name
}

# Tokens for Entra and nobody else, signed as Entra reads them, alive for the two minutes that Graphveil asks for. The action knows no
# resources, so the conditions are the bound.
data "aws_iam_policy_document" "token" {
  statement {
    actions   = ["sts:GetWebIdentityToken"]
    resources = ["*"]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "sts:IdentityTokenAudience"
      values   = [local.audience]
    }

    condition { # ForAllValues is also true of no audience at all
      test     = "Null"
      variable = "sts:IdentityTokenAudience"
      values   = ["false"]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:SigningAlgorithm"
      values   = ["RS256"]
    }

    condition {
      test     = "NumericLessThanEquals"
      variable = "sts:DurationSeconds"
      values   = ["120"]
    }
  }
}

resource "aws_iam_role_policy" "token" {
  name   = "graphveil-entra-token"
  role   = var.role_name
  policy = data.aws_iam_policy_document.token.json

  depends_on = [aws_iam_role.graphveil]
}

locals {
  role_arn = var.existing_role ? data.aws_iam_role.existing[0].arn : aws_iam_role.graphveil[0].arn

  # Every application of the setup file wants the same audience: that of its cloud.
  audience = one(distinct([for a in local.setup.applications : a.credential.federated.audience if a.credential.federated != null]))

  federated_identity = {
    issuer  = aws_iam_outbound_web_identity_federation.account.issuer_identifier
    subject = local.role_arn
  }
}

output "role" {
  description = "The role that the workload runs as; it is the subject of the federated credentials."
  value       = local.role_arn
}
