{{/* What no container may do. */}}
{{- define "graphveil.security" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
privileged: false
readOnlyRootFilesystem: true
runAsGroup: 65532
runAsNonRoot: true
runAsUser: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The processor: the only one with salt, key and the token of the service account. As
a sidecar container it starts before all others and ends after them. */}}
{{- define "graphveil.container.processor" -}}
name: graphveil
image: {{ include "graphveil.image" (list . "processor") | quote }}
imagePullPolicy: {{ .Values.images.processor.pullPolicy }}
restartPolicy: Always
args: [serve, --config, /etc/graphveil/graphveil.yaml]
ports:
  - {name: metrics, containerPort: 9464}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  timeoutSeconds: 5
resources:
  {{- toYaml .Values.processor.resources | nindent 2 }}
securityContext:
  {{- include "graphveil.security" . | nindent 2 }}
volumeMounts:
  - {name: graphveil-config, mountPath: /etc/graphveil, readOnly: true}
  {{- if .Values.policy.configMap }}
  - {name: graphveil-policy, mountPath: /etc/graphveil-policy, readOnly: true}
  {{- end }}
  - {name: graphveil-files, mountPath: /var/run/secrets/graphveil/files, readOnly: true}
  {{- if include "graphveil.projected" . }}
  - {name: graphveil-token, mountPath: /var/run/secrets/graphveil/token, readOnly: true}
  {{- end }}
  - {name: graphveil-socket, mountPath: /run/graphveil}
{{- end }}

{{/* Envoy: what faces clients and Graph. `graphveil envoy run` drains it on SIGTERM. */}}
{{- define "graphveil.container.envoy" -}}
name: envoy
image: {{ include "graphveil.image" (list . "envoy") | quote }}
imagePullPolicy: {{ .Values.images.envoy.pullPolicy }}
{{- if eq .Values.shape "sidecar" }}
restartPolicy: Always
{{- end }}
args: [envoy, run, --config, /etc/graphveil/graphveil.yaml, --probes, "0.0.0.0:9465", --drain-time, {{ include "graphveil.accept" . }}s]
env:
  - {name: TMPDIR, value: /tmp} # its bootstrap and its admin socket, out of the processor's reach
ports:
  {{- if eq .Values.shape "gateway" }}
  - {name: https, containerPort: {{ include "graphveil.port" . }}}
  {{- end }}
  - {name: envoy-metrics, containerPort: 9465}
startupProbe:
  httpGet: {path: /readyz, port: envoy-metrics}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: envoy-metrics}
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /healthz, port: envoy-metrics}
  timeoutSeconds: 5
resources:
  {{- toYaml .Values.envoy.resources | nindent 2 }}
securityContext:
  {{- include "graphveil.security" . | nindent 2 }}
volumeMounts:
  - {name: graphveil-config, mountPath: /etc/graphveil, readOnly: true}
  - {name: graphveil-tls, mountPath: /var/run/secrets/graphveil/tls, readOnly: true}
  {{- if .Values.tls.clientCA.configMap }}
  - {name: graphveil-clients, mountPath: /etc/graphveil-clients, readOnly: true}
  {{- end }}
  {{- if .Values.callerTokens.configMap }}
  - {name: graphveil-issuer, mountPath: /etc/graphveil-issuer, readOnly: true}
  {{- end }}
  - {name: graphveil-socket, mountPath: /run/graphveil, readOnly: true}
  - {name: graphveil-envoy, mountPath: /tmp}
{{- end }}

{{/* The volumes of both. A sidecar cannot set the Pod's fsGroup, and only the containers
above mount these, so there the files may be read by whoever has the mount. */}}
{{- define "graphveil.volumes" -}}
{{- $mode := ternary "0440" "0444" (eq .Values.shape "gateway") -}}
- name: graphveil-config
  configMap:
    name: {{ include "graphveil.name" . }}
    items:
      - {key: graphveil.yaml, path: graphveil.yaml}
{{- if .Values.policy.configMap }}
- name: graphveil-policy
  configMap: {name: {{ .Values.policy.configMap | quote }}}
{{- end }}
- name: graphveil-files
  secret: {secretName: {{ .Values.secret.name | quote }}, defaultMode: {{ $mode }}}
- name: graphveil-tls
  secret:
    secretName: {{ include "graphveil.tlsSecret" . | quote }}
    defaultMode: {{ $mode }}
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- if .Values.tls.clientCA.configMap }}
- name: graphveil-clients
  configMap: {name: {{ .Values.tls.clientCA.configMap | quote }}}
{{- end }}
{{- if .Values.callerTokens.configMap }}
- name: graphveil-issuer
  configMap: {name: {{ .Values.callerTokens.configMap | quote }}}
{{- end }}
{{- if include "graphveil.projected" . }}
- name: graphveil-token
  projected:
    defaultMode: {{ $mode }}
    sources:
      - serviceAccountToken:
          audience: {{ include "graphveil.audience" . | quote }}
          expirationSeconds: {{ .Values.token.expirationSeconds }}
          path: entra
{{- end }}
- name: graphveil-socket
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: graphveil-envoy
  emptyDir: {medium: Memory, sizeLimit: 8Mi}
{{- end }}
