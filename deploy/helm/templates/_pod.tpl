{{/* The pod's parts that the workload and the test share. */}}

{{- define "worker.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* `auto` counts cores by the CPU limit; without one it would start a process for each core of the node. */}}
{{- define "worker.args" -}}
{{- $processes := .Values.processes -}}
{{- if and (eq (toString $processes) "auto") (not (dig "limits" "cpu" "" .Values.resources)) }}{{ fail "processes: auto needs resources.limits.cpu, which says how many cores a pod has" }}{{ end -}}
{{- if gt (int $processes) (include "worker.share" . | int) }}{{ fail (printf "processes: %d processes cannot share the %s requests of a pod (rateLimit.requests)" (int $processes) (include "worker.share" .)) }}{{ end -}}
{{- if eq (toString $processes) "1" }}{{ toJson (list "run") }}{{ else }}{{ toJson (list "run" "--processes" (toString $processes)) }}{{ end -}}
{{- end }}

{{- define "worker.env" -}}
- {name: WORKER_CONFIG, value: /config/worker.yaml}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "worker.volumeMounts" -}}
- {name: config, mountPath: /config/worker.yaml, subPath: worker.yaml, readOnly: true}
{{- range $folder := include "worker.folderNames" . | fromJsonArray }}
- {name: {{ printf "folder-%s" ($folder | lower | replace "_" "-" | replace "." "-") }}, mountPath: {{ printf "/config/%s" $folder }}, readOnly: true}
{{- end }}
- {name: api-key, mountPath: /secrets/api-key, readOnly: true}
{{- range $name, $_ := .Values.secrets }}
- {name: {{ printf "secret-%s" $name }}, mountPath: {{ printf "/secrets/%s" $name }}, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Every folder that is mounted, whatever its source. */}}
{{- define "worker.folderNames" -}}
{{- $made := keys (include "worker.folders" . | fromJson) -}}
{{- range $folder, $_ := .Values.existingConfigMaps }}
  {{- if has $folder $made }}{{ fail (printf "existingConfigMaps.%s: the folder %s has files of the chart already" $folder $folder) }}{{ end -}}
{{- end }}
{{- concat $made (keys .Values.existingConfigMaps) | sortAlpha | toJson -}}
{{- end }}

{{- define "worker.volumes" -}}
- name: config
  configMap: {name: {{ include "worker.name" . }}}
{{- range $folder := include "worker.folderNames" . | fromJsonArray }}
- name: folder-{{ $folder | lower | replace "_" "-" | replace "." "-" }}
  configMap: {name: {{ get $.Values.existingConfigMaps $folder | default (include "worker.folderMap" (dict "root" $ "folder" $folder)) }}}
{{- end }}
# 288 is 0440: readable by the group of the pod, which is fsGroup.
- name: api-key
  secret: {secretName: {{ include "worker.apiKeySecret" . }}, defaultMode: 288}
{{- range $name, $secret := .Values.secrets }}
- name: secret-{{ $name }}
  secret: {secretName: {{ $secret }}, defaultMode: 288}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
