# One Entra application per entry of the setup file, with the permissions that the policy needs and no other, no secret and no
# redirect address. What is made here may be asked for; nothing may be read until somebody consents (consent.tf).

locals {
  setup        = jsondecode(file(var.setup))
  applications = { for a in local.setup.applications : a.key => a }
  tenant       = data.azuread_client_config.current.tenant_id

  # Application => name of the role in Entra => its id. An id that the file does not know is the tenant's for that name.
  roles = {
    for key, a in local.applications : key => {
      for p in a.permissions : try(p.role, p.name) => p.role_id != "" ? p.role_id : lookup(data.azuread_service_principal.graph.app_role_ids, try(p.role, p.name), "")
    }
  }
}

data "azuread_client_config" "current" {}

# Microsoft Graph as the tenant knows it.
data "azuread_service_principal" "graph" {
  client_id = local.setup.graph.app_id
}

resource "azuread_application" "this" {
  for_each = local.applications

  display_name            = each.value.display_name
  description             = "Graphveil, for ${join(", ", each.value.connectors)}"
  sign_in_audience        = "AzureADMyOrg"
  prevent_duplicate_names = true # whoever lost the state should import, not make a second one
  owners                  = setunion([data.azuread_client_config.current.object_id], var.owners)

  required_resource_access {
    resource_app_id = local.setup.graph.app_id

    dynamic "resource_access" {
      for_each = local.roles[each.key]

      content {
        id   = resource_access.value
        type = "Role"
      }
    }
  }

  lifecycle {
    # Names and owners are people's: an imported application keeps those that it has.
    ignore_changes = [display_name, description, notes, owners, tags, feature_tags, logo_image, service_management_reference]

    precondition {
      condition     = !can(regex("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", local.setup.tenant)) || lower(local.setup.tenant) == lower(local.tenant)
      error_message = "The setup file is for tenant ${local.setup.tenant}, you are signed in to ${local.tenant}. Sign in to the right one (az login --tenant ${local.setup.tenant}), with an AZURE_CONFIG_DIR of its own."
    }

    precondition {
      condition = alltrue([
        for role, id in local.roles[each.key] : id != "" && lookup(data.azuread_service_principal.graph.app_role_ids, role, "") == id
      ])
      error_message = "Microsoft Graph in this tenant does not have the roles that ${each.key} needs under the ids of the setup file. Write the file again, for the right cloud, and do not edit its ids."
    }

    precondition {
      condition     = length(setsubtract(keys(var.existing_applications), keys(local.applications))) == 0
      error_message = "existing_applications names what is no key of the setup file. The keys are: ${join(", ", keys(local.applications))}."
    }

    postcondition {
      condition     = each.value.client_id == "" || lower(self.client_id) == lower(each.value.client_id)
      error_message = "The setup file says that ${each.key} is the application with the client id ${each.value.client_id}. Import that one (existing_applications), or leave the id out of Graphveil's configuration."
    }
  }
}

# Who was handed an application over owns that, but maybe not its service principal: that one is left alone. Where it is
# missing, the consent makes it.
resource "azuread_service_principal" "this" {
  for_each = { for key, a in local.applications : key => a if !contains(keys(var.existing_applications), key) }

  client_id = azuread_application.this[each.key].client_id
  owners    = setunion([data.azuread_client_config.current.object_id], var.owners)

  lifecycle {
    ignore_changes = [description, notes, owners, tags, feature_tags]
  }
}
