# Consent: what the applications ask for is granted, for the whole tenant. Off by default, for it is another person's decision.

locals {
  grants = merge([
    for key, roles in local.roles : {
      for role, id in roles : "${key}/${role}" => { application = key, role_id = id }
    }
  ]...)
}

data "azuread_service_principal" "existing" {
  for_each = var.grant_consent ? var.existing_applications : {}

  client_id = azuread_application.this[each.key].client_id
}

resource "azuread_app_role_assignment" "consent" {
  for_each = var.grant_consent ? local.grants : {}

  app_role_id         = each.value.role_id
  principal_object_id = contains(keys(var.existing_applications), each.value.application) ? data.azuread_service_principal.existing[each.value.application].object_id : azuread_service_principal.this[each.value.application].object_id
  resource_object_id  = data.azuread_service_principal.graph.object_id
}
