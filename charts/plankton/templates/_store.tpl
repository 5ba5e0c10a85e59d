{{/*
PostgreSQL and NATS, as the chart brings them: one pod with a volume. (part), and in it:
  "container", "volumes"   of the pod
  "annotations"            of the pod
  "data"                   where the volume is
  "ports"                  {name: number}
*/}}
{{- define "plankton.store" -}}
{{- $persistence := .values.persistence -}}
{{- $volumes := .volumes -}}
{{- if not $persistence.enabled -}}
{{- $volumes = append $volumes (dict "name" "data" "emptyDir" dict) -}}
{{- else if $persistence.existingClaim -}}
{{- $volumes = append $volumes (dict "name" "data" "persistentVolumeClaim" (dict "claimName" $persistence.existingClaim)) -}}
{{- end -}}
{{- $mounts := prepend .container.volumeMounts (dict "name" "data" "mountPath" .data) -}}
{{- $ports := list -}}
{{- range $name, $number := .ports }}{{ $ports = append $ports (dict "name" $name "containerPort" $number) }}{{ end -}}
{{- $container := merge (dict "volumeMounts" $mounts "ports" $ports) .container -}}
{{- $pod := dict
      "containers" (include "plankton.container" (merge (dict "container" $container) .) | fromYamlArray)
      "volumes" $volumes -}}
{{ include "plankton.serviceAccount" . }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "plankton.metadata" (omit . "annotations") | nindent 2 }}
spec:
  selector: {{- include "plankton.selector" . | nindent 4 }}
  ports:
    - {name: {{ .name }}, port: {{ get .ports .name }}, targetPort: {{ .name }}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "plankton.metadata" (omit . "annotations") | nindent 2 }}
spec:
  replicas: 1
  revisionHistoryLimit: 5
  serviceName: {{ include "plankton.partName" . }}
  selector:
    matchLabels: {{- include "plankton.selector" . | nindent 6 }}
  template:
    metadata: {{- include "plankton.podMetadata" . | nindent 6 }}
    spec: {{- include "plankton.podSpec" (merge $pod .) | trim | nindent 6 }}
  {{- if and $persistence.enabled (not $persistence.existingClaim) }}
  # The claim stays when the release goes.
  volumeClaimTemplates:
    - metadata:
        name: data
        labels: {{- include "plankton.selector" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $persistence.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests: {storage: {{ $persistence.size }}}
  {{- end }}
{{- end }}
