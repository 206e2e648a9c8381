{{- define "slipway.pool" -}}
{{- $secret := dict "name" (include "slipway.client.secret" .) "namespace" .Release.Namespace -}}
{{- $name := include "slipway.builder.name" . -}}
{{- $endpoints := list -}}
{{- range $at := until (int .Values.builders.replicas) -}}
{{- $endpoints = append $endpoints (dict "address" (printf "%s-%d.%s.%s.svc:8443" $name $at $name (include "slipway.builder.namespace" $)) "tlsSecretRef" $secret) -}}
{{- end -}}
{{- range .Values.builders.pool.endpoints -}}
{{- $endpoints = append $endpoints (merge (dict "tlsSecretRef" $secret) .) -}}
{{- end -}}
apiVersion: slipway.build/v1alpha1
kind: BuilderPool
metadata:
  name: {{ .Values.builders.pool.name }}
  labels: {{- include "slipway.labels" . | nindent 4 }}
spec: {{- merge (dict "endpoints" $endpoints) .Values.builders.pool.spec | toYaml | nindent 2 }}
{{- end -}}
