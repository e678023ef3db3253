package check

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// claims are those of a Graph access token that say what it is good for. They are read without verifying them, which is for Graph;
// Microsoft reserves the right to change the form of tokens that are meant for others
// (learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type claims struct {
	Tenant string   `json:"tid"`
	AppID  string   `json:"appid"` // version 1.0
	AZP    string   `json:"azp"`   // version 2.0
	Roles  []string `json:"roles"`
}

func readClaims(token string) (claims, bool) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &c) != nil || c.application() == "" {
		return claims{}, false
	}
	return c, true
}

func (c claims) application() string {
	if c.AppID != "" {
		return c.AppID
	}
	return c.AZP
}

// roleName is what a permission can be called; anything else is not shown.
var roleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$`)

func (c claims) roles() []string {
	roles := slices.DeleteFunc(slices.Clone(c.Roles), func(role string) bool { return !roleName.MatchString(role) })
	slices.Sort(roles)
	return slices.Compact(roles)
}
