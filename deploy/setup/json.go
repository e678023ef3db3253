package setup

import (
	"encoding/json"
	"io"
)

// WriteJSON writes the whole plan, for infrastructure code.
func WriteJSON(w io.Writer, p *Plan) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(p)
}
