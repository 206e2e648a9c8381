{{- define "slipway.pool" -}}
{{- $secret := dict "name" (include "slipway.client.secret" .) "namespace" .Release.Namespace -}}
{{- $endpoints := list -}}
{{- range .Values.builders.pool.endpoints -}}
{{- $endpoints = append $endpoints (merge (dict "tlsSecretRef" $secret) .) -}}
{{- end -}}
apiVersion: slipway.build/v1alpha1
kind: BuilderPool
metadata:
  name: {{ .Values.builders.pool.name }}
  labels: {{- include "slipway.labels" . | nindent 4 }}
{{- $spec := deepCopy .Values.builders.pool.spec }}
{{- if $endpoints }}{{ $_ := set $spec "endpoints" $endpoints }}{{ end }}
{{- $most := max (int .Values.builders.replicas) (int .Values.builders.maxReplicas) }}
{{- if $most }}
{{- $_ := set $spec "managed" (merge (dict "replicas" (dict "min" (min (int .Values.builders.replicas) $most) "max" $most)) (include "slipway.managed" . | fromYaml)) }}
{{- else if not $endpoints }}{{ $_ := set $spec "endpoints" list }}
{{- end }}
spec: {{- toYaml $spec | nindent 2 }}
{{- end -}}

{{- /* What the pods are made of, but for how many there are. */ -}}
{{- define "slipway.managed" -}}
{{- with .Values.builders -}}
image: {{ include "slipway.image" (list $ .image) }}
imagePullPolicy: {{ .image.pullPolicy }}
{{- with $.Values.global.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
bindAddress: {{ $.Values.bindAddress | quote }}
warmSpares: {{ .warmSpares }}
scaleDownAfter: {{ .scaleDownAfter }}
maxUnavailable: {{ .maxUnavailable }}
quarantineAfter: {{ .quarantineAfter }}
profile: {{ .profile }}
terminationGracePeriod: {{ .terminationGracePeriod }}
serviceAccountName: {{ include "slipway.builder.name" $ }}
{{- with .maxRuns }}
capacity: {{ . }}
{{- end }}
{{- with .architectures }}
architectures: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config }}
config: {{ . | quote }}
{{- end }}
{{- $gc := dict }}
{{- range $name, $value := .gc }}{{ if $value }}{{ $_ := set $gc $name $value }}{{ end }}{{ end }}
{{- with $gc }}
gc: {{- toYaml . | nindent 2 }}
{{- end }}
storage:
  {{- if .persistence.enabled }}
  persistentVolumeClaim:
    size: {{ default "100Gi" .persistence.size }}
    {{- with .persistence.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
  {{- else }}
  emptyDir: {{ with .persistence.size }}{ sizeLimit: {{ . }} }{{ else }}{}{{ end }}
  {{- end }}
{{- with .extraArgs }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .extraVolumes }}
volumes: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .extraVolumeMounts }}
volumeMounts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .resources }}
resources:
  {{- range $kind, $quantities := . }}
  {{ $kind }}:
    {{- range $name, $quantity := $quantities }}
    {{ $name }}: {{ toString $quantity | quote }}
    {{- end }}
  {{- end }}
{{- end }}
labels:
  {{- include "slipway.selector" (list $ "builder") | nindent 2 }}
  {{- with .podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}
{{- end -}}
