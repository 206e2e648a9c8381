{{- define "slipway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "slipway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Of pods of one component, (list . "operator"); they never change. */ -}}
{{- define "slipway.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ default $.Chart.Name $.Values.nameOverride }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* (list . image) */ -}}
{{- define "slipway.image" -}}
{{- $ := index . 0 -}}
{{- $image := index . 1 -}}
{{- $registry := default $image.registry $.Values.global.imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default $.Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{- define "slipway.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "slipway.operator.name" -}}{{ include "slipway.fullname" . }}-operator{{- end -}}
{{- define "slipway.builder.name" -}}{{ include "slipway.fullname" . }}-builder{{- end -}}
{{- define "slipway.account" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "slipway.operator.name" .) .Values.serviceAccount.name }}
{{- else -}}{{ default "default" .Values.serviceAccount.name }}{{- end -}}
{{- end -}}

{{- define "slipway.builder.namespace" -}}
{{- $name := default (printf "%s-builders" (include "slipway.fullname" .)) .Values.builders.namespace.name -}}
{{- if eq $name .Release.Namespace -}}
{{- fail "builders.namespace.name: builders are privileged, and have a namespace that is not the release's" -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "slipway.affinity" -}}
{{- $ := index . 0 -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "slipway.selector" . | nindent 12 }}
{{- end -}}

{{- /* What pods of operator and builders have of their values alike: (list . component). */ -}}
{{- define "slipway.placement" -}}
{{- $ := index . 0 -}}
{{- $values := index $.Values (index . 1) -}}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
affinity: {{- if $values.affinity }}{{ toYaml $values.affinity | nindent 2 }}{{ else }}{{ include "slipway.affinity" (list $ (index . 2)) | nindent 2 }}{{ end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- end -}}
