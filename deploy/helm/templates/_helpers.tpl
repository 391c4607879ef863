{{/* The name of everything in a release. */}}
{{- define "worker.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "worker.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "worker.labels" -}}
{{ include "worker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "worker.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}{{ else }}{{ printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{- define "worker.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "worker.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "worker.apiKeySecret" -}}
{{- if .Values.apiKey.value }}{{ include "worker.name" . }}-api-key{{ else }}{{ .Values.apiKey.secretName }}{{ end }}
{{- end }}

{{/* A duration as in worker.yaml, in whole seconds, rounded up. */}}
{{- define "worker.seconds" -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$" .) }}{{ fail (printf "config.delivery.shutdown_timeout: %q is not a duration such as 30s or 2m" .) }}{{ end -}}
{{- $number := regexFind "^[0-9.]+" . | float64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mulf $number (get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) $unit) | ceil | int -}}
{{- end }}

{{/* Longer than the worker may drain: a pod that is killed before sends records again. */}}
{{- define "worker.grace" -}}
{{- $config := include "worker.given" . | fromYaml -}}
{{- $timeout := dig "delivery" "shutdown_timeout" "30s" $config -}}
{{- add (include "worker.seconds" $timeout | int) 15 -}}
{{- end }}

{{- define "worker.maxPods" -}}
{{- if .Values.keda.enabled }}{{ .Values.keda.maxReplicas | int }}{{ else }}{{ .Values.replicas | int }}{{ end }}
{{- end }}

{{/* Each pod's share of the rate limit. A Deployment starts a pod's successor while the pod drains. With the scope
     `group` the workers share the limit themselves. */}}
{{- define "worker.share" -}}
{{- $shares := include "worker.maxPods" . | int -}}
{{- if eq .Values.workload "Deployment" }}{{ $shares = add $shares 1 }}{{ end -}}
{{- if eq (dig "rate_limit" "scope" "process" (include "worker.given" . | fromYaml)) "group" }}{{ $shares = 1 }}{{ end -}}
{{- $share := div (.Values.rateLimit.requests | int) (max $shares 1) -}}
{{- if lt $share 1 }}{{ fail (printf "rateLimit.requests: %d requests are not enough for %d pods" (.Values.rateLimit.requests | int) $shares) }}{{ end -}}
{{- $share -}}
{{- end }}

{{/* worker.yaml as given: config/worker.yaml in the chart's folder, and `config` over it. */}}
{{- define "worker.given" -}}
{{- $file := .Files.Get "config/worker.yaml" | fromYaml -}}
{{- with $file.Error }}{{ fail (printf "config/worker.yaml: %s" .) }}{{ end -}}
{{- toYaml (mustMergeOverwrite $file (deepCopy .Values.config)) -}}
{{- end }}

{{/* worker.yaml as mounted. As JSON, which is YAML: it keeps large numbers as they are. */}}
{{- define "worker.config" -}}
{{- $given := include "worker.given" . | fromYaml -}}
{{- if dig "rate_limit" "requests" nil .Values.config }}{{ fail "config.rate_limit.requests is each pod's: set rateLimit.requests, of which the chart gives each pod its share" }}{{ end -}}
{{- if dig "http" "listen" nil .Values.config }}{{ fail "config.http.listen: the chart sets it, because its probes use port 8080" }}{{ end -}}
{{- $ours := dict
      "http" (dict "listen" "0.0.0.0:8080")
      "rate_limit" (dict "requests" (include "worker.share" . | int))
      "pipelines" (dict "api_key" (dict "file" (printf "/secrets/api-key/%s" .Values.apiKey.key))) -}}
{{- if eq .Values.workload "StatefulSet" }}
{{- $_ := set $ours "kafka" (dict "properties" (dict "group.instance.id" "${POD_NAME}")) }}
{{- end -}}
{{- $defaults := dict "telemetry" (dict "log_format" "json") -}}
{{- toPrettyJson (mustMergeOverwrite $defaults $given $ours) -}}
{{- end }}

{{/* Folder, file, text: of config/ in the chart's folder and of `files`. */}}
{{- define "worker.folders" -}}
{{- $folders := dict -}}
{{- range $path, $_ := .Files.Glob "config/**" }}
  {{- $parts := splitList "/" $path -}}
  {{- if eq (len $parts) 3 }}
    {{- $folder := get $folders (index $parts 1) | default dict -}}
    {{- $_ := set $folder (index $parts 2) ($.Files.Get $path) -}}
    {{- $_ := set $folders (index $parts 1) $folder -}}
  {{- else if gt (len $parts) 3 }}
    {{- fail (printf "%s: a config map has no folders in it. Move the file up, or mount it by extraVolumes" $path) -}}
  {{- else if ne $path "config/worker.yaml" }}
    {{- fail (printf "%s: only worker.yaml and folders belong into config/" $path) -}}
  {{- end }}
{{- end }}
{{- toJson (mustMergeOverwrite $folders (deepCopy .Values.files)) -}}
{{- end }}

{{/* The name of the config map of a folder: "folder" and "root". */}}
{{- define "worker.folderMap" -}}
{{- printf "%s-%s" (include "worker.name" .root) (.folder | lower | replace "_" "-" | replace "." "-") -}}
{{- end }}

{{/* Changes when worker.yaml or a file changes. Config maps that exist are looked up, where a cluster is at hand. */}}
{{- define "worker.checksum" -}}
{{- $existing := dict -}}
{{- range $folder, $name := .Values.existingConfigMaps }}
  {{- $found := lookup "v1" "ConfigMap" $.Release.Namespace $name | default dict -}}
  {{- $_ := set $existing $name (dict "data" $found.data "binaryData" $found.binaryData) -}}
{{- end }}
{{- printf "%s%s%s" (include "worker.config" .) (include "worker.folders" .) (toJson $existing) | sha256sum -}}
{{- end }}
