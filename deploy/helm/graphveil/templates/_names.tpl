{{/* The name of everything: that of the release, which has 53 characters at most; a Service's name has 63. */}}
{{- define "graphveil.name" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride }}{{- else if contains "graphveil" .Release.Name -}}{{ .Release.Name }}{{- else -}}{{ printf "%s-graphveil" .Release.Name }}{{- end -}}
{{- end }}

{{/* Whose Pods they are, also where a release has two gateways, or one the name of another release. It never changes, for Kubernetes
does not let it. */}}
{{- define "graphveil.selector" -}}
app.kubernetes.io/name: graphveil
{{- $instance := .Release.Name -}}
{{- with .Values.fullnameOverride -}}{{- $instance = printf "%s-%s" . (sha256sum $.Release.Name | trunc 8) -}}{{- end }}
app.kubernetes.io/instance: {{ $instance | quote }}
{{- end }}

{{- define "graphveil.labels" -}}
{{ include "graphveil.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{- define "graphveil.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "graphveil.name" .) -}}
{{- end }}

{{/* An image by digest, or else by tag: (list $ "processor"). */}}
{{- define "graphveil.image" -}}
{{- $root := index . 0 -}}{{- $image := index $root.Values.images (index . 1) -}}
{{- if $image.digest -}}{{ $image.repository }}@{{ $image.digest }}{{- else -}}{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}{{- end -}}
{{- end }}

{{/* The Secret with the certificate. */}}
{{- define "graphveil.tlsSecret" -}}
{{- .Values.tls.secretName | default (printf "%s-tls" (include "graphveil.name" .)) -}}
{{- end }}

{{/* Where Graph is, and the audience that Entra wants, by cloud. */}}
{{- define "graphveil.graph" -}}
{{- get (dict "global" "graph.microsoft.com" "us_government" "graph.microsoft.us" "us_dod" "dod-graph.microsoft.us" "china" "microsoftgraph.chinacloudapi.cn") (.Values.config.tokens.cloud | default "global") -}}
{{- end }}
{{- define "graphveil.audience" -}}
{{- $of := dict "global" "api://AzureADTokenExchange" "us_government" "api://AzureADTokenExchangeUSGov" "us_dod" "api://AzureADTokenExchangeUSGov" "china" "api://AzureADTokenExchangeChina" -}}
{{- .Values.token.audience | default (get $of (.Values.config.tokens.cloud | default "global")) -}}
{{- end }}

{{/* How long Envoy accepts connections when it is told to end. Nobody is left to make them when
the application next to it has ended. */}}
{{- define "graphveil.accept" -}}
{{- if eq .Values.shape "gateway" -}}{{ .Values.drain.acceptSeconds }}{{- else -}}1{{- end -}}
{{- end }}

{{/* The port that clients connect to, in the Pod. */}}
{{- define "graphveil.port" -}}
{{- if and (eq .Values.shape "sidecar") (eq .Values.sidecar.capture "hosts") -}}443{{- else -}}8443{{- end -}}
{{- end }}
