{{/* What each service is told: settings in a ConfigMap, secrets in the environment. */}}

{{- define "plankton.jwksUrl" -}}
http://{{ include "plankton.fullname" . }}-auth:8080/.well-known/jwks.json
{{- end }}

{{/* The data of a service's ConfigMap; (part). Settings of values come last and win. */}}
{{- define "plankton.settings" -}}
{{- $values := .root.Values -}}
{{- $settings := dict
      "LISTEN_ADDR" ":8080"
      "ADMIN_ADDR" ":9090"
      "SHUTDOWN_LAME_DUCK_MS" $values.shutdown.lameDuckMs
      "SHUTDOWN_DRAIN_MS" $values.shutdown.drainMs
      "TOKEN_ISSUER" (include "plankton.publicUrl" .root) -}}
{{- if eq .name "gateway" -}}
{{- $_ := set $settings "ROUTES_FILE" "/etc/plankton/routes/routes.json" -}}
{{- else -}}
{{- $settings = merge $settings (include "plankton.databaseSettings" . | fromYaml) (include "plankton.natsSettings" . | fromYaml) -}}
{{- end -}}
{{- if ne .name "auth" -}}
{{- $_ := set $settings "AUTH_JWKS_URL" (include "plankton.jwksUrl" .root) -}}
{{- end -}}
{{- range list $values.config .values.config -}}
{{- range $name, $value := . -}}
{{- /* null: as if it were not there */ -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $settings $name $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $settings }}
{{- /* numbers may be floats here, and 10000000 is then printed as 1e+07 */}}
{{ $name }}: {{ ternary (printf "%.0f" (float64 $value)) (printf "%v" $value) (kindIs "float64" $value) | quote }}
{{- end }}
{{- end }}

{{/* (part) */}}
{{- define "plankton.databaseSettings" -}}
{{- $database := .root.Values.database -}}
{{- $own := get $database .name -}}
{{- $hosts := list -}}
{{- range splitList "," ($database.host | default (printf "%s-postgresql" (include "plankton.fullname" .root))) -}}
{{- $hosts = append $hosts (printf "%s:%d" . (int $database.port)) -}}
{{- end -}}
{{- $parameters := list -}}
{{- with $database.parameters }}{{ $parameters = append $parameters . }}{{ end -}}
{{- if $database.tls.existingSecret -}}
{{- $parameters = append $parameters "sslmode=verify-full&sslrootcert=/etc/plankton/database-tls/ca.crt" -}}
{{- end -}}
DATABASE_URL: {{ printf "postgres://%s@%s/%s" $own.username (join "," $hosts) $own.name }}{{ with $parameters }}?{{ join "&" . }}{{ end }}
{{- end }}

{{/* (part) */}}
{{- define "plankton.natsSettings" -}}
{{- $nats := .root.Values.nats -}}
NATS_STREAM_REPLICAS: {{ $nats.streamReplicas }}
{{- if $nats.credsSecret }}
NATS_CREDS_FILE: /etc/plankton/nats-creds/{{ .name }}.creds
{{- end }}
{{- if $nats.tls.existingSecret }}
NATS_CA_FILE: /etc/plankton/nats-tls/ca.crt
{{- end }}
{{- if $nats.tls.clientCertificate }}
NATS_CERT_FILE: /etc/plankton/nats-tls/tls.crt
NATS_KEY_FILE: /etc/plankton/nats-tls/tls.key
{{- end }}
{{- end }}

{{/* NATS_URL; the kubelet puts $(NATS_PASSWORD) in. (part) */}}
{{- define "plankton.natsUrl" -}}
{{- $nats := .root.Values.nats -}}
{{- $urls := list -}}
{{- range splitList "," ($nats.url | default (printf "nats://%s-nats:4222" (include "plankton.fullname" .root))) -}}
{{- $urls = append $urls (ternary (replace "://" (printf "://%s:$(NATS_PASSWORD)@" $.name) .) . (eq (include "plankton.natsHasPassword" $.root) "true")) -}}
{{- end -}}
{{- join "," $urls -}}
{{- end }}

{{- define "plankton.natsHasPassword" -}}
{{- or (not .Values.nats.url) (ne .Values.nats.existingSecret "") -}}
{{- end }}

{{/* Environment variables of a service: what extraEnv has comes before it, under one name there is one. (part) */}}
{{- define "plankton.env" -}}
{{- $env := list -}}
{{- if ne .name "gateway" -}}
{{- $database := include "plankton.secretName" (dict "root" .root "name" "database" "existing" .root.Values.database.existingSecret) -}}
{{- $env = concat $env (include "plankton.secretEnv" (dict "env" "PGPASSWORD" "secret" $database "key" (printf "%s-password" .name)) | fromYamlArray) -}}
{{- if eq (include "plankton.natsHasPassword" .root) "true" -}}
{{- $nats := include "plankton.secretName" (dict "root" .root "name" "nats" "existing" .root.Values.nats.existingSecret) -}}
{{- $env = concat $env (include "plankton.secretEnv" (dict "env" "NATS_PASSWORD" "secret" $nats "key" (printf "%s-password" .name)) | fromYamlArray) -}}
{{- end -}}
{{- $env = append $env (dict "name" "NATS_URL" "value" (include "plankton.natsUrl" .)) -}}
{{- end -}}
{{- if eq .name "auth" -}}
{{- $auth := include "plankton.secretName" (dict "root" .root "name" "auth" "existing" .values.existingSecret) -}}
{{- $env = concat $env (include "plankton.secretEnv" (dict "env" "KEY_ENCRYPTION_KEY" "secret" $auth "key" "key-encryption-key") | fromYamlArray) -}}
{{- $admin := .root.Values.bootstrapAdmin -}}
{{- if $admin.enabled -}}
{{- $secret := include "plankton.secretName" (dict "root" .root "name" "bootstrap-admin" "existing" $admin.existingSecret) -}}
{{- range $env_name, $key := dict "BOOTSTRAP_ADMIN_EMAIL" "email" "BOOTSTRAP_ADMIN_PASSWORD" "password" -}}
{{- $env = concat $env (include "plankton.secretEnv" (dict "env" $env_name "secret" $secret "key" $key) | fromYamlArray) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $extra := list -}}
{{- range .values.extraEnv }}{{ $extra = append $extra .name }}{{ end -}}
{{- $kept := list -}}
{{- range $env }}{{ if not (has .name $extra) }}{{ $kept = append $kept . }}{{ end }}{{ end -}}
{{- /* PASSWORDs before the URL that they are put into, whoever gives them */ -}}
{{- with concat .values.extraEnv $kept }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Volumes with files that settings name. (part) */}}
{{- define "plankton.fileVolumes" -}}
{{- $nats := .root.Values.nats -}}
{{- if eq .name "gateway" }}
- name: routes
  configMap: {name: {{ include "plankton.partName" . }}-routes}
{{- else }}
{{- with .root.Values.database.tls.existingSecret }}
- name: database-tls
  secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- with $nats.tls.existingSecret }}
- name: nats-tls
  secret: {secretName: {{ . }}}
{{- end }}
{{- with $nats.credsSecret }}
- name: nats-creds
  secret: {secretName: {{ . }}, items: [{key: {{ $.name }}.creds, path: {{ $.name }}.creds}]}
{{- end }}
{{- end }}
{{- end }}
