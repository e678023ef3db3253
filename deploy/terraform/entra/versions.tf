terraform {
  # 1.7 brought for_each to import blocks, which the folders that use this module need.
  required_version = ">= 1.7, < 2.0"

  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.9"
    }
  }
}
