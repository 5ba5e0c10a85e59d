{{/*
The one pod of this chart: services, PostgreSQL, NATS and the tests are all made of it.

(part), and in it:
  "containers", "initContainers", "volumes"  lists
  "restartPolicy"                            of pods alone
*/}}
{{- define "plankton.podSpec" -}}
{{- $values := .values -}}
{{- with concat (.root.Values.global.imagePullSecrets | default list) .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . | uniq }}
  - name: {{ . }}
  {{- end }}
{{- end }}
serviceAccountName: {{ include "plankton.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .restartPolicy }}
restartPolicy: {{ . }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ include "plankton.gracePeriod" . }}
{{- with $values.podSecurityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml . | nindent 4 | trim }}
    {{- if not .labelSelector }}
    labelSelector:
      matchLabels: {{- include "plankton.selector" $ | nindent 8 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with .initContainers }}
initContainers: {{- toYaml . | nindent 2 }}
{{- end }}
containers: {{- toYaml .containers | nindent 2 }}
{{- with .volumes }}
volumes: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (part), and "annotations" */}}
{{- define "plankton.podMetadata" -}}
labels: {{- toYaml (merge (include "plankton.selector" . | fromYaml) (.values.podLabels | default dict) .root.Values.commonLabels) | nindent 2 }}
{{- with merge (dict) (.values.podAnnotations | default dict) (.annotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every container of a part has; (part), and "container". */}}
{{- define "plankton.container" -}}
{{- $common := dict
      "name" .name
      "image" (include "plankton.image" .)
      "imagePullPolicy" .values.image.pullPolicy
      "resources" .values.resources
      "securityContext" .values.securityContext -}}
{{- toYaml (list (merge (dict) .container $common)) -}}
{{- end }}

{{- define "plankton.gracePeriod" -}}
{{- if kindIs "invalid" .values.terminationGracePeriodSeconds -}}
{{- $shutdown := .root.Values.shutdown -}}
{{- divf (addf $shutdown.lameDuckMs $shutdown.drainMs) 1000 | ceil | int | add 10 -}}
{{- else -}}
{{- .values.terminationGracePeriodSeconds | int -}}
{{- end -}}
{{- end }}

{{/* (part) */}}
{{- define "plankton.serviceAccount" -}}
{{- $account := .values.serviceAccount | default (dict "create" true) -}}
{{- if $account.create -}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "plankton.metadata" (dict "root" .root "name" .name "called" (include "plankton.serviceAccountName" .) "annotations" $account.annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- end }}
