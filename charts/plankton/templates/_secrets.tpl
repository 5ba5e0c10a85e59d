{{/*
Secrets that the chart makes. A value is the one of values.yaml, else the one that the cluster has, else a
new one; where there is no cluster (helm template), it is new each time: use existingSecret there.
*/}}

{{/* (dict "root" $ "secret" NAME "key" KEY "value" VALUE "kind" "password" or "key") -> a line of data */}}
{{- define "plankton.secretLine" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .secret | default dict -}}
{{- $old := get ($secret.data | default dict) .key -}}
{{ .key }}: {{ if .value -}}
{{ .value | b64enc | quote }}
{{- else if $old -}}
{{ $old | quote }}
{{- else if eq .kind "key" -}}
{{ printf "%x" (randBytes 32 | b64dec) | b64enc | quote }}
{{- else -}}
{{/* Begins with a letter: nats-server reads it as it reads its configuration. */ -}}
{{ printf "p%s" (randAlphaNum 31) | b64enc | quote }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "name" PART "lines" (list (list KEY VALUE KIND)...)) -> a Secret, kept at uninstall */}}
{{- define "plankton.secret" -}}
{{- $root := .root -}}
{{- $secret := include "plankton.partName" . -}}
---
apiVersion: v1
kind: Secret
metadata:
  {{- include "plankton.metadata" (merge (dict "annotations" (dict "helm.sh/resource-policy" "keep")) .) | nindent 2 }}
type: Opaque
data:
  {{- range .lines }}
  {{ include "plankton.secretLine" (dict "root" $root "secret" $secret "key" (index . 0) "value" (index . 1) "kind" (index . 2)) }}
  {{- end }}
{{- end }}

{{/* (dict "root" $ "name" PART "existing" NAME) -> where its secrets are */}}
{{- define "plankton.secretName" -}}
{{- .existing | default (include "plankton.partName" .) -}}
{{- end }}

{{/* (dict "env" NAME "secret" SECRET "key" KEY) -> an environment variable */}}
{{- define "plankton.secretEnv" -}}
- name: {{ .env }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
