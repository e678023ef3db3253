{{/*
What an application's chart puts into its Pod, with this chart as a dependency and
`shape: sidecar`. Each takes the dependency's context, .Subcharts.graphveil:

  annotations:    {{- include "graphveil.sidecar.annotations" .Subcharts.graphveil | nindent 8 }}
  initContainers: {{- include "graphveil.sidecar.initContainers" .Subcharts.graphveil | nindent 8 }}
  volumes:        {{- include "graphveil.sidecar.volumes" .Subcharts.graphveil | nindent 8 }}
  the application's container:
    volumeMounts: {{- include "graphveil.sidecar.volumeMounts" .Subcharts.graphveil | nindent 12 }}

Both are sidecar containers: they start before the application, and end after it, Envoy
before the processor.
*/}}
{{- define "graphveil.sidecar.initContainers" -}}
{{- include "graphveil.check" . -}}
{{- if ne .Values.shape "sidecar" -}}
  {{- fail "shape is gateway: a gateway has a Pod of its own\nhint: graphveil.shape: sidecar in the application's values" -}}
{{- end -}}
- {{- include "graphveil.container.processor" . | nindent 2 }}
- {{- include "graphveil.container.envoy" . | nindent 2 }}
{{- end }}

{{/* On the Pod: a changed configuration replaces it. */}}
{{- define "graphveil.sidecar.annotations" -}}
{{- include "graphveil.annotations" . -}}
{{- end }}

{{- define "graphveil.sidecar.volumes" -}}
{{ include "graphveil.volumes" . }}
- name: graphveil-trust
  secret:
    secretName: {{ include "graphveil.tlsSecret" . | quote }}
    defaultMode: 0444
    items:
      - {key: {{ .Values.tls.caKey | quote }}, path: ca.crt}
{{- if eq .Values.sidecar.capture "hosts" }}
- name: graphveil-hosts
  configMap:
    name: {{ include "graphveil.name" . }}
    items:
      - {key: hosts, path: hosts}
{{- end }}
{{- end }}

{{/* What the application needs: an authority to trust, and its hosts file. Nothing else. */}}
{{- define "graphveil.sidecar.volumeMounts" -}}
- {name: graphveil-trust, mountPath: /etc/graphveil-trust, readOnly: true}
{{- if eq .Values.sidecar.capture "hosts" }}
- {name: graphveil-hosts, mountPath: /etc/hosts, subPath: hosts, readOnly: true}
{{- end }}
{{- end }}

{{/* What hosts needs of the Pod's securityContext: port 443 without a capability. */}}
{{- define "graphveil.sidecar.sysctls" -}}
{{- if eq .Values.sidecar.capture "hosts" -}}
- {name: net.ipv4.ip_unprivileged_port_start, value: "443"}
{{- else -}}
[]
{{- end }}
{{- end }}
