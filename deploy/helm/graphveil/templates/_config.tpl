{{/* graphveil.yaml: the values of config, and what the chart sets. */}}
{{- define "graphveil.config" -}}
{{- include "graphveil.check" . -}}
{{- $gateway := eq .Values.shape "gateway" -}}
{{- $files := "/var/run/secrets/graphveil" -}}
{{- $tls := dict "cert_file" (printf "%s/tls/tls.crt" $files) "key_file" (printf "%s/tls/tls.key" $files) -}}
{{- with .Values.tls.clientCA -}}
  {{- if .configMap -}}
    {{- $_ := set $tls "client_ca_file" (printf "/etc/graphveil-clients/%s" .key) -}}
    {{- $_ := set $tls "client_certificate" .mode -}}
  {{- end -}}
{{- end -}}
{{- $own := dict
  "pseudonyms" (dict "salt_file" (printf "%s/files/salt" $files) "key_file" (printf "%s/files/key" $files))
  "processor" (dict "listen" "/run/graphveil/processor.sock" "admin" "0.0.0.0:9464" "drain_timeout" (printf "%ds" (int .Values.drain.timeoutSeconds)))
  "envoy" (dict "listen" (printf "%s:%s" (ternary (ternary "[::]" "0.0.0.0" .Values.gateway.ipv6) "127.0.0.1" $gateway) (include "graphveil.port" .)) "tls" $tls)
-}}
{{- if include "graphveil.projected" . -}}
  {{- $_ := set $own "tokens" (dict "credential" (dict "kubernetes" (dict "token_file" (printf "%s/token/entra" $files)))) -}}
{{- end -}}
{{- if .Values.policy.configMap -}}
  {{- $_ := set $own "policy" (dict "paths" (ternary (list "builtin" "/etc/graphveil-policy") (list "/etc/graphveil-policy") .Values.policy.builtin)) -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end }}

{{/* What changes with the configuration, so that Pods are replaced. */}}
{{- define "graphveil.annotations" -}}
graphveil/config: {{ include "graphveil.config" . | sha256sum | quote }}
{{- end }}
