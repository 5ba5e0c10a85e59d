{{/* docs/routes.md: the upstreams `users` and `auth` are the chart's own where they name no servers. */}}
{{- define "plankton.routes" -}}
{{- $upstreams := dict -}}
{{- range $name, $upstream := .Values.gateway.upstreams -}}
{{- if not (kindIs "invalid" $upstream) -}}
{{- $own := dict "servers" (list (printf "%s-%s:8080" (include "plankton.fullname" $) $name)) -}}
{{- $_ := set $upstreams $name (ternary $upstream (merge (dict) $upstream $own) (hasKey $upstream "servers")) -}}
{{- end -}}
{{- end -}}
{{- dict "upstreams" $upstreams "routes" .Values.gateway.routes | toPrettyJson -}}
{{- end }}
