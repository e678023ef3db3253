{{/* What would not start, or would start open, is not rendered. */}}
{{- define "graphveil.check" -}}
{{- $v := .Values -}}
{{- if not $v.config.tokens.tenant -}}
  {{- fail "config.tokens.tenant is empty\nhint: the id of the Entra tenant, or a domain name of it" -}}
{{- end -}}
{{- if not $v.config.tokens.connectors -}}
  {{- fail "config.tokens.connectors is empty: nothing would be served\nhint: a client id for each connector, from `graphveil setup`" -}}
{{- end -}}
{{- if not $v.secret.name -}}
  {{- fail "secret.name is empty: there is no salt and no key\nhint: kubectl create secret generic graphveil --from-file=salt --from-file=key, and name it here" -}}
{{- end -}}
{{- if and (not $v.tls.secretName) (not $v.tls.issuer.name) -}}
  {{- fail "there is no certificate for clients to trust\nhint: tls.secretName names an existing Secret, tls.issuer.name an issuer of cert-manager" -}}
{{- end -}}
{{- if and $v.tls.secretName $v.tls.issuer.name -}}
  {{- fail "tls.secretName and tls.issuer.name are both given: which certificate is it?\nhint: leave one empty" -}}
{{- end -}}
{{- if le (int $v.drain.timeoutSeconds) (int (include "graphveil.accept" .)) -}}
  {{- fail "drain.timeoutSeconds must be more than drain.acceptSeconds: nothing in progress could end" -}}
{{- end -}}
{{- if eq $v.shape "gateway" -}}
  {{- $risk := "every pod of the cluster may read through this gateway" -}}
  {{- $certificates := and $v.tls.clientCA.configMap (eq $v.tls.clientCA.mode "required") -}}
  {{- if and (not $v.gateway.networkPolicy.enabled) (not $certificates) (ne $v.gateway.networkPolicy.acknowledgeRisk $risk) -}}
    {{- fail (printf "gateway.networkPolicy.enabled is false, and no certificate is asked of clients: every Pod could read\nhint: tls.clientCA.configMap, or gateway.networkPolicy.acknowledgeRisk: %q" $risk) -}}
  {{- end -}}
  {{- range $v.gateway.networkPolicy.clients -}}
    {{- $pods := include "graphveil.names" .podSelector -}}
    {{- $namespaces := or (not (hasKey . "namespaceSelector")) (include "graphveil.names" .namespaceSelector) -}}
    {{- $all := or (regexMatch "/0*[0-7]$" (dig "ipBlock" "cidr" "" .)) (not (or $pods $namespaces)) -}}
    {{- if and $v.gateway.networkPolicy.enabled $all (not $certificates) (ne $v.gateway.networkPolicy.acknowledgeRisk $risk) -}}
      {{- fail (printf "gateway.networkPolicy.clients has a peer that is everybody, and no certificate is asked of clients\nhint: labels of Pods or namespaces, tls.clientCA.configMap, or gateway.networkPolicy.acknowledgeRisk: %q" $risk) -}}
    {{- end -}}
  {{- end -}}
  {{- $known := or $certificates (dig "envoy" "jwt" "issuer" "" $v.config) -}}
  {{- if and (eq $v.gateway.service.type "LoadBalancer") (not $known) (ne $v.gateway.networkPolicy.acknowledgeRisk $risk) -}}
    {{- fail (printf "gateway.service.type is LoadBalancer, and clients show neither a certificate nor a token: a network policy is not made for who comes from outside of the cluster\nhint: tls.clientCA.configMap, config.envoy.jwt, or gateway.networkPolicy.acknowledgeRisk: %q" $risk) -}}
  {{- end -}}
{{- end -}}
{{- range $keys := list "processor.listen" "processor.admin" "processor.drain_timeout" "envoy.listen" "envoy.tls" "envoy.admin" "envoy.access_log" "pseudonyms.salt_file" "pseudonyms.key_file" -}}
  {{- $path := splitList "." $keys -}}
  {{- if hasKey (index $v.config (index $path 0) | default dict) (index $path 1) -}}
    {{- fail (printf "config.%s is the chart's to set\nhint: leave it out; values.yaml says what there is instead" $keys) -}}
  {{- end -}}
{{- end -}}
{{- range $key := list "jwks_file" "ca_file" -}}
  {{- with dig "envoy" "jwt" $key "" $v.config -}}
    {{- if not (and $v.callerTokens.configMap (hasPrefix "/etc/graphveil-issuer/" .)) -}}
      {{- fail (printf "config.envoy.jwt.%s is a file that Envoy does not have\nhint: callerTokens.configMap names a ConfigMap with it, and it is /etc/graphveil-issuer/<its key>" $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and $v.policy.configMap (hasKey ($v.config.policy | default dict) "paths") -}}
  {{- fail "config.policy.paths and policy.configMap are both given\nhint: leave one out; policy.builtin adds the shipped connectors" -}}
{{- end -}}
{{- end }}

{{/* Whether a selector says whom it means, and not only whom it leaves out: true or nothing. Each
namespace has its name as a label. */}}
{{- define "graphveil.names" -}}
{{- $selector := . | default dict -}}
{{- $named := not (empty $selector.matchLabels) -}}
{{- range $selector.matchExpressions -}}
  {{- if or (eq .operator "In") (and (eq .operator "Exists") (ne .key "kubernetes.io/metadata.name")) -}}{{- $named = true -}}{{- end -}}
{{- end -}}
{{- if $named -}}true{{- end -}}
{{- end }}

{{/* Whether the service account's token is how to sign in: true or nothing. */}}
{{- define "graphveil.projected" -}}
{{- $credential := .Values.config.tokens.credential | default (dict "kubernetes" dict) -}}
{{- if hasKey $credential "kubernetes" -}}true{{- end -}}
{{- end }}
