{{- define "slipway.builder.secret" -}}
{{- default (printf "%s-tls" (include "slipway.builder.name" .)) .Values.certificates.existing.builderSecret -}}
{{- end -}}
{{- define "slipway.client.secret" -}}
{{- default (printf "%s-client" (include "slipway.builder.name" .)) .Values.certificates.existing.clientSecret -}}
{{- end -}}

{{- /* How certificates come to be: existing, certManager, operator or generated. */ -}}
{{- define "slipway.certificates.from" -}}
{{- $existing := .Values.certificates.existing -}}
{{- if or $existing.builderSecret $existing.clientSecret -}}
{{- if not (and $existing.builderSecret $existing.clientSecret) -}}
{{- fail "certificates.existing: builderSecret and clientSecret go together" -}}
{{- end -}}
{{- if .Values.certificates.certManager.enabled -}}
{{- fail "certificates: either existing or certManager" -}}
{{- end -}}
existing
{{- else if .Values.certificates.certManager.enabled -}}
{{- if not .Values.certificates.certManager.issuerRef.name -}}
{{- fail "certificates.certManager.issuerRef.name: name a ClusterIssuer whose authority signs for nobody else" -}}
{{- end -}}
certManager
{{- else if .Values.certificates.operator -}}
operator
{{- else -}}
generated
{{- end -}}
{{- end -}}

{{- /* DNS names and IP addresses of the builders' certificate, as YAML. */ -}}
{{- define "slipway.builder.names" -}}
{{- $service := printf "%s.%s.svc" (include "slipway.builder.name" .) (include "slipway.builder.namespace" .) -}}
{{- $dns := list (printf "*.%s" $service) $service -}}
{{- $ips := list -}}
{{- range .Values.certificates.names -}}
{{- if or (regexMatch "^[0-9.]+$" .) (contains ":" .) }}{{ $ips = append $ips . }}{{ else }}{{ $dns = append $dns . }}{{ end -}}
{{- end -}}
{{- dict "dns" $dns "ips" $ips | toYaml -}}
{{- end -}}

{{- /* What the operator is to keep, as its flag --certificates has it. */ -}}
{{- define "slipway.certificates.kept" -}}
{{- $names := include "slipway.builder.names" . | fromYaml -}}
{{- $server := dict "usage" "server" "commonName" "builder" "names" (concat $names.dns $names.ips) "secret" (dict "namespace" (include "slipway.builder.namespace" .) "name" (include "slipway.builder.secret" .)) -}}
{{- $client := dict "usage" "client" "commonName" "slipway-operator" "secret" (dict "namespace" .Release.Namespace "name" (include "slipway.client.secret" .)) -}}
{{- list $server $client | toYaml -}}
{{- end -}}

{{- /*
Puts the pair of Secrets into .Values._certificates, once a render: as they are in the cluster while they are of each other, for these names, and not in the last third of
their validity; else new ones. Builders and clients have an authority each, so that a builder's certificate opens no builder; the authorities' keys are kept nowhere.
*/ -}}
{{- define "slipway.certificates.make" -}}
{{- if not (hasKey .Values "_certificates") -}}
{{- $names := include "slipway.builder.names" . -}}
{{- $server := lookup "v1" "Secret" (include "slipway.builder.namespace" .) (include "slipway.builder.secret" .) -}}
{{- $client := lookup "v1" "Secret" .Release.Namespace (include "slipway.client.secret" .) -}}
{{- $is := dig "metadata" "annotations" dict (default dict $server) -}}
{{- $of := dig "metadata" "annotations" dict (default dict $client) -}}
{{- $now := now | unixEpoch | int64 -}}
{{- $key := "slipway.build/certificates" -}}
{{- $stays := and (get $is $key) (eq (get $is $key) (get $of $key)) (eq (get $is "slipway.build/names") (sha256sum $names)) (gt (int64 (get $is "slipway.build/renew-after")) $now) -}}
{{- if $stays -}}
{{- $_ := set .Values "_certificates" (dict "annotations" (pick $is $key "slipway.build/names" "slipway.build/renew-after") "server" $server.data "client" $client.data) -}}
{{- else -}}
{{- $days := int .Values.certificates.days -}}
{{- $alternatives := fromYaml $names -}}
{{- $builders := genCAWithKey "slipway builders" $days (genPrivateKey "ecdsa") -}}
{{- $clients := genCAWithKey "slipway clients" $days (genPrivateKey "ecdsa") -}}
{{- $builder := genSignedCertWithKey "builder" $alternatives.ips $alternatives.dns $days $builders (genPrivateKey "ecdsa") -}}
{{- $operator := genSignedCertWithKey "slipway-operator" list list $days $clients (genPrivateKey "ecdsa") -}}
{{- $annotations := dict $key (sha256sum $builder.Cert) "slipway.build/names" (sha256sum $names) "slipway.build/renew-after" (printf "%d" (add $now (mul $days 57600))) -}}
{{- $_ := set .Values "_certificates" (dict "annotations" $annotations
  "server" (dict "ca.crt" (b64enc $clients.Cert) "tls.crt" (b64enc $builder.Cert) "tls.key" (b64enc $builder.Key))
  "client" (dict "ca.crt" (b64enc $builders.Cert) "tls.crt" (b64enc $operator.Cert) "tls.key" (b64enc $operator.Key))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
