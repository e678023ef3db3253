output "client_ids" {
  description = "Client (application) id of each connector."
  value       = local.client_ids
}

output "object_ids" {
  description = "Object id of each application, by its key in the setup file: what existing_applications wants."
  value       = { for key, a in azuread_application.this : key => a.object_id }
}

output "configuration" {
  description = "The part of Graphveil's configuration that says which application each connector is. Merge it into your graphveil.yaml."
  value = yamlencode({
    tokens = {
      tenant     = local.tenant
      cloud      = local.setup.cloud
      connectors = { for name, id in local.client_ids : name => { client_id = id } }
    }
  })
}

output "admin_document" {
  description = "What is left to administrators, in Markdown; it stands alone. Print it with: terraform output -raw admin_document"
  value = templatefile("${path.module}/admin.md.tftpl", {
    setup        = local.setup
    tenant       = local.tenant
    roles        = local.roles
    applications = { for key, a in azuread_application.this : key => { name = a.display_name, client_id = a.client_id } }
    steps        = [for s in local.filled.steps : s if contains(["consent", "meetings", "mailboxes"], s.for) && !(var.grant_consent && s.id == "grant-consent")]
  })
}

locals {
  client_ids = merge([
    for key, a in local.applications : { for name in a.connectors : name => azuread_application.this[key].client_id }
  ]...)

  # The setup file again, where the words that stand for ids in its steps (CLIENT_ID_OF_TEAMS, TENANT_ID) give way to them.
  words = { for key, a in azuread_application.this : upper(key) => a.client_id }
  filled = jsondecode(replace(join("", [
    for i, part in split("CLIENT_ID_OF_", file(var.setup)) :
    i == 0 ? part : "${lookup(local.words, regex("^[A-Z0-9_]+", part), "CLIENT_ID")}${replace(part, "/^[A-Z0-9_]+/", "")}"
  ]), "TENANT_ID", local.tenant))
}
