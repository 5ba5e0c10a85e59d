{{/*
Names, labels and images. Two kinds of context: the chart's own ($), or a part of it,
  (dict "root" $ "name" "users" "values" .Values.users)
as "plankton.part" makes it.
*/}}

{{- define "plankton.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Short enough for every suffix below to fit into the 63 characters of a name. */}}
{{- define "plankton.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "plankton.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "plankton.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "plankton.partName" -}}
{{- printf "%s-%s" (include "plankton.fullname" .root) .name -}}
{{- end }}

{{/* What selects the pods of a part: never changes over the life of a release. */}}
{{- define "plankton.selector" -}}
app.kubernetes.io/name: {{ include "plankton.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{/* Of every object: (dict "root" $ "name" PART). */}}
{{- define "plankton.labels" -}}
{{- $own := include "plankton.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" (include "plankton.name" .root) -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $own .root.Values.commonLabels) -}}
{{- end }}

{{/* (dict "root" $ "name" PART "suffix" "-routes" "annotations" {...} "called" NAME); the last three may be missing. */}}
{{- define "plankton.metadata" -}}
name: {{ .called | default (printf "%s%s" (include "plankton.partName" .) (.suffix | default "")) }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "plankton.labels" . | nindent 2 }}
{{- with .annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "plankton.image" -}}
{{- $image := .values.image -}}
{{- $registry := .root.Values.global.imageRegistry | default $image.registry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "plankton.serviceAccountName" -}}
{{- $account := .values.serviceAccount | default (dict "create" true) -}}
{{- $account.name | default (ternary (include "plankton.partName" .) "default" $account.create) -}}
{{- end }}

{{- define "plankton.publicUrl" -}}
{{- $port := .Values.gateway.service.port | int -}}
{{- .Values.publicUrl | default (printf "http://%s-gateway.%s%s" (include "plankton.fullname" .) .Release.Namespace (ternary "" (printf ":%d" $port) (eq $port 80))) -}}
{{- end }}
