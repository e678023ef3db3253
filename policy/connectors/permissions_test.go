package connectors_test

import (
	"slices"
	"testing"
)

// TestPermissionsAreNeeded wants each endpoint to have a permission that Graph
// documents for it, and each permission to be the least one that is granted for
// some endpoint.
func TestPermissionsAreNeeded(t *testing.T) {
	schema := readSchema(t)
	for _, options := range optionSets(t) {
		connectors := evaluate(t, "data.graphveil.connectors", options).(map[string]any)
		for connector, endpoints := range evaluateEndpoints(t, options) {
			var granted []string
			for _, permission := range connectors[connector].(map[string]any)["permissions"].([]any) {
				granted = append(granted, permission.(string))
			}
			needed := map[string]bool{}
			for id, endpoint := range endpoints {
				if enabled, ok := endpoint["enabled"]; ok && enabled != true {
					continue
				}
				known, ok := schema.endpoint(endpoint["path"].(string))
				if !ok {
					t.Errorf("%s.%s: the schema does not know %s", connector, id, endpoint["path"])
					continue
				}
				least := slices.IndexFunc(known.ApplicationPermissions, func(p string) bool { return slices.Contains(granted, p) })
				if least < 0 {
					t.Errorf("%v %s.%s: none of %v is granted", options, connector, id, known.ApplicationPermissions)
					continue
				}
				needed[known.ApplicationPermissions[least]] = true
			}
			for _, permission := range granted {
				if !needed[permission] {
					t.Errorf("%v %s: no endpoint needs %s", options, connector, permission)
				}
			}
		}
	}
}
