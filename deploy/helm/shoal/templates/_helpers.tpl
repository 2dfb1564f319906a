{{- define "shoal.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "shoal.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "shoal.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "shoal.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "shoal.selector" -}}
app.kubernetes.io/name: {{ include "shoal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "shoal.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "shoal.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Metadata of an object: (list $ "component" "name") */}}
{{- define "shoal.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "shoal.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Selector of a role's pods: (list $ "component") */}}
{{- define "shoal.role" -}}
{{ include "shoal.selector" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Metadata of a pod: (list $ "component") */}}
{{- define "shoal.podMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "shoal.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "shoal.image" -}}
{{- $repository := required "image.repository: say where the image of Shoal is, for example ghcr.io/OWNER/shoal" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "shoal.container" -}}
image: {{ include "shoal.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- define "shoal.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "shoal.natsUrl" -}}
{{- if .Values.nats.url -}}
{{ .Values.nats.url }}
{{- else -}}
tls://{{ include "shoal.fullname" . }}-nats.{{ .Release.Namespace }}.svc:4222
{{- end -}}
{{- end -}}

{{- define "shoal.loginSecret" -}}
{{- $root := index . 0 -}}
{{ $root.Values.nats.loginPrefix | default (include "shoal.fullname" $root) }}-login-{{ index . 1 }}
{{- end -}}

{{/* Variables of a daemon: (list $ "login's role" settings-of-the-role) */}}
{{- define "shoal.env" -}}
{{- $root := index . 0 -}}
{{- $v := $root.Values -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: SHOAL_SWARM
  value: {{ $v.swarm | quote }}
- name: SHOAL_NATS
  value: {{ include "shoal.natsUrl" $root | quote }}
- name: SHOAL_NATS_NKEY
  value: /etc/shoal/login/login.nk
{{- if or (not $v.nats.url) $v.nats.ca }}
- name: SHOAL_NATS_CA
  value: /etc/shoal/login/ca.crt
{{- end }}
- name: SHOAL_DIR
  value: /var/lib/shoal
- name: SHOAL_ADMIN_LISTEN
  value: $(POD_IP)
- name: SHOAL_LOG_FORMAT
  value: json
{{- if and $v.registryLogin.secretName (ne (index . 1) "scheduler") }}
- name: SHOAL_DOCKER_CONFIG
  value: /etc/shoal/registries/config.json
{{- end }}
{{- range $name, $value := mustMergeOverwrite (deepCopy $v.settings) (index . 2) }}
- name: SHOAL_{{ $name | replace "-" "_" | upper }}
  value: {{ if kindIs "slice" $value }}{{ join "," $value | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (list $ "login's role") */}}
{{- define "shoal.mounts" -}}
{{- $root := index . 0 -}}
- { name: login, mountPath: /etc/shoal/login, readOnly: true }
- { name: cache, mountPath: /var/lib/shoal }
- { name: tmp, mountPath: /tmp }
{{- if and $root.Values.registryLogin.secretName (ne (index . 1) "scheduler") }}
- { name: registries, mountPath: /etc/shoal/registries, readOnly: true }
{{- end }}
{{- end -}}

{{/* All but the cache: (list $ "login's role") */}}
{{- define "shoal.volumes" -}}
{{- $root := index . 0 -}}
- name: login
  secret: { secretName: {{ include "shoal.loginSecret" . }}, defaultMode: 0440 }
- name: tmp
  emptyDir: {}
{{- if and $root.Values.registryLogin.secretName (ne (index . 1) "scheduler") }}
- name: registries
  secret:
    secretName: {{ $root.Values.registryLogin.secretName }}
    defaultMode: 0440
    items: [{ key: .dockerconfigjson, path: config.json }]
{{- end }}
{{- end -}}

{{/* Probes of a daemon; the port has the name `admin`. */}}
{{- define "shoal.probes" -}}
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 5
  timeoutSeconds: 5
startupProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 2
  failureThreshold: 60
{{- end -}}

{{- define "shoal.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "shoal.security" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where pods of a role may run: (list $ "component" values-of-the-role) */}}
{{- define "shoal.placement" -}}
{{- $root := index . 0 -}}
{{- $role := index . 2 -}}
{{- with $role.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $role.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $role.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $role.affinity }}
affinity:
  {{- toYaml $role.affinity | nindent 2 }}
{{- else if ne (index . 1) "host" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "shoal.role" (list $root (index . 1)) | nindent 14 }}
{{- end }}
{{- end -}}

{{/* A budget: (list $ "component") */}}
{{- define "shoal.budget" -}}
{{- $root := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "shoal.metadata" (list $root (index . 1) (printf "%s-%s" (include "shoal.fullname" $root) (index . 1))) | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "shoal.role" . | nindent 6 }}
{{- end -}}

{{/* Folder of the node that holds its runtime's configuration. */}}
{{- define "shoal.nodeFolder" -}}
{{- $folders := dict "containerd" "/etc/containerd" "k3s" "/var/lib/rancher/k3s/agent/etc/containerd" "rke2" "/var/lib/rancher/rke2/agent/etc/containerd" "crio" "/etc/containers" -}}
{{- if and (ne .Values.node.runtime "crio") .Values.node.containerd.folder -}}
{{ .Values.node.containerd.folder }}
{{- else -}}
{{ get $folders .Values.node.runtime }}
{{- end -}}
{{- end -}}

{{/* Flags of configure-node and restore-node, as a list in JSON. */}}
{{- define "shoal.nodeFlags" -}}
{{- $v := .Values -}}
{{- $folder := include "shoal.nodeFolder" . -}}
{{- $proxy := dig "proxy-listen" "127.0.0.1" $v.host.settings -}}
{{- $flags := list "--proxy" (printf "http://%s:%v" (ternary (printf "[%s]" $proxy) $proxy (contains ":" $proxy)) $v.host.ports.proxy) -}}
{{- if eq $v.node.runtime "crio" -}}
{{- $flags = concat $flags (list "--runtime" "crio" "--config-dir" (printf "%s/registries.conf.d" $folder)) -}}
{{- else if eq $v.node.containerd.configPath "assume" -}}
{{- $flags = concat $flags (list "--config-path" "assume" "--config-dir" (printf "%s/certs.d" $folder)) -}}
{{- else -}}
{{- $flags = concat $flags (list "--config-path" $v.node.containerd.configPath "--file" (printf "%s/config.toml" $folder)) -}}
{{- end -}}
{{- range $v.node.registries -}}
{{- $flags = concat $flags (list "--registry" .) -}}
{{- end -}}
{{- toJson $flags -}}
{{- end -}}
