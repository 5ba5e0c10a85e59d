{{/*
A service of Plankton: gateway, auth or users. (part)
*/}}


{{- define "plankton.service" -}}
{{ include "plankton.serviceAccount" . }}
{{ include "plankton.configMap" . }}
{{ include "plankton.deployment" . }}
{{ include "plankton.listenerService" . }}
{{ include "plankton.adminService" . }}
{{ include "plankton.autoscaler" . }}
{{ include "plankton.disruptionBudget" . }}
{{- end }}

{{- define "plankton.configMap" -}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "plankton.metadata" . | nindent 2 }}
data: {{- include "plankton.settings" . | trim | nindent 2 }}
{{- end }}

{{- define "plankton.probe" -}}
httpGet:
  path: {{ .path }}
  port: admin
{{ toYaml .fields }}
{{- end }}

{{/* What the service and its migration have in common. */}}
{{- define "plankton.process" -}}
envFrom:
  - configMapRef: {name: {{ include "plankton.partName" . }}}
  {{- with .values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with include "plankton.env" . }}
env: {{- . | nindent 2 }}
{{- end }}
{{- with concat (include "plankton.fileMounts" . | fromYamlArray) .values.extraVolumeMounts }}
volumeMounts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "plankton.fileMounts" -}}
{{- range include "plankton.fileVolumes" . | fromYamlArray }}
- name: {{ .name }}
  mountPath: /etc/plankton/{{ .name }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "plankton.serveContainer" -}}
args: [serve]
ports:
  - {name: http, containerPort: 8080}
  - {name: admin, containerPort: 9090}
{{- $probes := .root.Values.probes }}
startupProbe: {{- include "plankton.probe" (dict "path" "/livez" "fields" $probes.startup) | nindent 2 }}
livenessProbe: {{- include "plankton.probe" (dict "path" "/livez" "fields" $probes.liveness) | nindent 2 }}
readinessProbe: {{- include "plankton.probe" (dict "path" "/readyz" "fields" $probes.readiness) | nindent 2 }}
{{ include "plankton.process" . }}
{{- end }}

{{/* Waits until the database is there; several pods may do it at once. */}}
{{- define "plankton.migrateContainer" -}}
name: migrate
args: [migrate]
{{ include "plankton.process" . }}
{{- end }}

{{- define "plankton.deployment" -}}
{{- $pod := dict
      "containers" (include "plankton.container" (merge (dict "container" (include "plankton.serveContainer" . | fromYaml)) .) | fromYamlArray)
      "volumes" (concat (include "plankton.fileVolumes" . | fromYamlArray) .values.extraVolumes) -}}
{{- if ne .name "gateway" -}}
{{- $migrate := include "plankton.migrateContainer" . | fromYaml -}}
{{- $_ := set $pod "initContainers" (include "plankton.container" (merge (dict "container" $migrate) .) | fromYamlArray) -}}
{{- end -}}
{{- $annotations := dict "checksum/config" (include "plankton.settings" . | sha256sum) -}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "plankton.metadata" . | nindent 2 }}
spec:
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 25%}
  selector:
    matchLabels: {{- include "plankton.selector" . | nindent 6 }}
  template:
    metadata: {{- include "plankton.podMetadata" (merge (dict "annotations" $annotations) .) | nindent 6 }}
    spec: {{- include "plankton.podSpec" (merge $pod .) | trim | nindent 6 }}
{{- end }}

{{/* Clients of the gateway may come from anywhere; users and auth are for the mesh. */}}
{{- define "plankton.listenerService" -}}
{{- $service := .values.service | default dict -}}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "plankton.metadata" (merge (dict "annotations" ($service.annotations | default dict)) .) | nindent 2 }}
spec:
  {{- with $service }}
  type: {{ .type }}
  {{- if ne .type "ClusterIP" }}
  externalTrafficPolicy: {{ .externalTrafficPolicy }}
  {{- end }}
  {{- if eq .type "LoadBalancer" }}
  {{- with .loadBalancerClass }}
  loadBalancerClass: {{ . }}
  {{- end }}
  {{- with .loadBalancerSourceRanges }}
  loadBalancerSourceRanges: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- end }}
  selector: {{- include "plankton.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ $service.port | default 8080 }}
      targetPort: http
      {{- with $service.nodePort }}
      {{- if ne $service.type "ClusterIP" }}
      nodePort: {{ . }}
      {{- end }}
      {{- end }}
{{- end }}

{{/* Metrics, and readiness for the tests; of its own, so that no load balancer ever shows it to the world. */}}
{{- define "plankton.adminService" -}}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "plankton.metadata" (merge (dict "suffix" "-admin") .) | nindent 2 }}
spec:
  clusterIP: None
  selector: {{- include "plankton.selector" . | nindent 4 }}
  ports:
    - {name: admin, port: 9090, targetPort: admin}
{{- end }}

{{- define "plankton.autoscaler" -}}
{{- with .values.autoscaling -}}
{{- if .enabled -}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "plankton.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "plankton.partName" $ }}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    {{- range $resource, $target := dict "cpu" .targetCPUUtilizationPercentage "memory" .targetMemoryUtilizationPercentage }}
    {{- if $target }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target: {type: Utilization, averageUtilization: {{ $target }}}
    {{- end }}
    {{- end }}
  {{- with .behavior }}
  behavior: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "plankton.minPods" -}}
{{- ternary .values.autoscaling.minReplicas .values.replicaCount .values.autoscaling.enabled -}}
{{- end }}

{{- define "plankton.disruptionBudget" -}}
{{- with .values.podDisruptionBudget -}}
{{- if .enabled -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "plankton.metadata" $ | nindent 2 }}
spec:
  {{- if or (kindIs "invalid" .minAvailable) (le (include "plankton.minPods" $ | int) 1) }}
  maxUnavailable: {{ .maxUnavailable }}
  {{- else }}
  minAvailable: {{ .minAvailable }}
  {{- end }}
  # a pod that is not ready serves nobody, and holds up no drain
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "plankton.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
