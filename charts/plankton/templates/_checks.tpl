{{/* What values.schema.json cannot say. Every message names the key. */}}
{{- define "plankton.checks" -}}
{{- $values := .Values -}}
{{- $upstreams := $values.gateway.upstreams -}}
{{- /* Not in the schema, which would print what it refuses. */ -}}
{{- with $values.auth.keyEncryptionKey -}}
{{- if not (regexMatch "^[0-9a-f]{64}(,[0-9a-f]{64}){0,3}$" .) -}}
{{- fail "auth.keyEncryptionKey: must be 64 hexadecimal digits in lower case (openssl rand -hex 32), or up to 4 such keys with commas between" -}}
{{- end -}}
{{- end -}}
{{- with $values.bootstrapAdmin.password -}}
{{- if lt (len .) 8 }}{{ fail "bootstrapAdmin.password: must have at least 8 bytes" }}{{ end -}}
{{- end -}}
{{- $routed := list -}}
{{- range $index, $route := $values.gateway.routes -}}
{{- range $method := $route.methods | default (list "*") -}}
{{- $what := printf "%s %s" $method $route.path -}}
{{- if has $what $routed -}}
{{- fail (printf "gateway.routes: number %d is there already: %s" (add $index 1) $what) -}}
{{- end -}}
{{- $routed = append $routed $what -}}
{{- end -}}
{{- if not (hasKey $upstreams $route.upstream) -}}
{{- fail (printf "gateway.routes: number %d leads to %q, which is not in gateway.upstreams" (add $index 1) $route.upstream) -}}
{{- end -}}
{{- end -}}
{{- range $name, $upstream := $upstreams -}}
{{- if not (or (has $name (list "users" "auth")) (hasKey ($upstream | default dict) "servers")) -}}
{{- fail (printf "gateway.upstreams.%s.servers: must be given, since this chart has no service of that name" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "gateway" "auth" "users" -}}
{{- $part := dict "root" $ "name" $name "values" (get $values $name) -}}
{{- $own := $part.values -}}
{{- $needed := divf (addf $values.shutdown.lameDuckMs $values.shutdown.drainMs) 1000 | addf 5 -}}
{{- if lt (include "plankton.gracePeriod" $part | float64) $needed -}}
{{- fail (printf "%s.terminationGracePeriodSeconds: must be at least %v: shutdown.lameDuckMs, shutdown.drainMs and 5 s" $name $needed) -}}
{{- end -}}
{{- $seen := list -}}
{{- range $own.extraEnv -}}
{{- if has .name $seen -}}{{- fail (printf "%s.extraEnv: %s is there twice" $name .name) -}}{{- end -}}
{{- $seen = append $seen .name -}}
{{- end -}}
{{- if and $own.autoscaling.enabled (gt (int $own.autoscaling.minReplicas) (int $own.autoscaling.maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas: is more than maxReplicas" $name) -}}
{{- end -}}
{{- if and $own.autoscaling.enabled (not $own.autoscaling.targetCPUUtilizationPercentage) (not $own.autoscaling.targetMemoryUtilizationPercentage) -}}
{{- fail (printf "%s.autoscaling: needs targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage" $name) -}}
{{- end -}}
{{- $pods := include "plankton.minPods" $part | int -}}
{{- $stay := $own.podDisruptionBudget.minAvailable -}}
{{- if and (gt $pods 1) (not (kindIs "invalid" $stay)) (not (kindIs "string" $stay)) (ge (int $stay) $pods) -}}
{{- fail (printf "%s.podDisruptionBudget.minAvailable: with %d pods nothing could ever be drained" $name $pods) -}}
{{- end -}}
{{- end -}}
{{- $database := $values.database -}}
{{- if and $database.host (not $database.existingSecret) (not (and $database.users.password $database.auth.password)) -}}
{{- fail "database.existingSecret: must be given, or database.users.password and database.auth.password, since database.host is an external PostgreSQL" -}}
{{- end -}}
{{- if and $database.tls.existingSecret (not $database.host) -}}
{{- fail "database.tls.existingSecret: is for an external PostgreSQL (database.host)" -}}
{{- end -}}
{{- if not $database.host -}}
{{- range $field := list "username" "name" -}}
{{- if eq (get $database.users $field) (get $database.auth $field) -}}
{{- fail (printf "database.auth.%s: must differ from database.users.%s" $field $field) -}}
{{- end -}}
{{- end -}}
{{- range $service := list "users" "auth" -}}
{{- $own := get $database $service -}}
{{- if eq $own.username "postgres" -}}
{{- fail (printf "database.%s.username: is the superuser's" $service) -}}
{{- end -}}
{{- if has $own.name (list "postgres" "template0" "template1") -}}
{{- fail (printf "database.%s.name: is PostgreSQL's own" $service) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $nats := $values.nats -}}
{{- if and (not $nats.url) (or $nats.credsSecret $nats.tls.existingSecret) -}}
{{- fail "nats.credsSecret and nats.tls: are for an external NATS (nats.url)" -}}
{{- end -}}
{{- if and $nats.tls.clientCertificate (not $nats.tls.existingSecret) -}}
{{- fail "nats.tls.clientCertificate: needs nats.tls.existingSecret, where the certificate is" -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: must name the Gateway that the HTTPRoute belongs to" -}}
{{- end -}}
{{- end }}
