package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	exprv1 "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
)

// Where the size of a request's head is kept, all names and values and the path, before and after the service was asked.
const (
	sizeDecided = "graphveil.size.decided"
	sizeLimited = "graphveil.size.limited"
)

// SizeFormat is how Envoy formats that size.
const SizeFormat = "%CEL(request.total_size)%"

// rateLimits are the filters that ask the service, and let on only what is still as it
// was decided. A service may add to the path and the headers of the request that it is
// asked about, and Envoy has no setting against that. What it cannot do is take
// something away, so a request that it changed is larger: that one is denied.
func (r *renderer) rateLimits() []*hcmv3.HttpFilter {
	before, after, unchanged := RateLimitGuard()
	return []*hcmv3.HttpFilter{
		filter("decided", r.pack(before)),
		filter("envoy.filters.http.ratelimit", r.pack(r.rateLimit())),
		filter("limited", r.pack(after)),
		filter("unchanged", r.pack(unchanged)),
	}
}

// RateLimitGuard are the settings of the filters around the one that asks a rate limit
// service: before and after keep the size of a request, unchanged, behind them, denies it
// if the two differ.
func RateLimitGuard() (before, after *setstatev3.Config, unchanged *rbacv3.RBAC) {
	return keepSize(sizeDecided), keepSize(sizeLimited), sameSize()
}

// keepSize keeps the size that a request has now.
func keepSize(key string) *setstatev3.Config {
	return &setstatev3.Config{OnRequestHeaders: []*statev3.FilterStateValue{{
		Key:        &statev3.FilterStateValue_ObjectKey{ObjectKey: key},
		FactoryKey: "envoy.string",
		Value: &statev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: SizeFormat},
			}},
		}},
	}}}
}

// sameSize allows a request of which filter_state[sizeDecided] ==
// filter_state[sizeLimited] is true, and no other: a size that is missing is no.
func sameSize() *rbacv3.RBAC {
	return &rbacv3.RBAC{Rules: &rbacconfigv3.RBAC{
		Action: rbacconfigv3.RBAC_ALLOW,
		Policies: map[string]*rbacconfigv3.Policy{"unchanged": {
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
			Principals:  []*rbacconfigv3.Principal{{Identifier: &rbacconfigv3.Principal_Any{Any: true}}},
			Condition:   call("_==_", state(sizeDecided), state(sizeLimited)),
		}},
	}}
}

// state is filter_state[key].
func state(key string) *exprv1.Expr {
	return call("_[_]",
		&exprv1.Expr{ExprKind: &exprv1.Expr_IdentExpr{IdentExpr: &exprv1.Expr_Ident{Name: "filter_state"}}},
		&exprv1.Expr{ExprKind: &exprv1.Expr_ConstExpr{ConstExpr: &exprv1.Constant{ConstantKind: &exprv1.Constant_StringValue{StringValue: key}}}},
	)
}

func call(function string, args ...*exprv1.Expr) *exprv1.Expr {
	return &exprv1.Expr{ExprKind: &exprv1.Expr_CallExpr{CallExpr: &exprv1.Expr_Call{Function: function, Args: args}}}
}
