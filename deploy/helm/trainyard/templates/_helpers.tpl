{{- define "trainyard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "trainyard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "trainyard.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "trainyard.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "trainyard.selector" -}}
app.kubernetes.io/name: {{ include "trainyard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "trainyard.labels" -}}
{{ include "trainyard.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "trainyard.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "trainyard.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "trainyard.watchNamespace" -}}
{{- if eq .Values.installScope "namespace" -}}
{{- default .Release.Namespace .Values.watchNamespace -}}
{{- else -}}
{{- .Values.watchNamespace -}}
{{- end -}}
{{- end -}}

{{- define "trainyard.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- /* No container of ours needs more than this. */ -}}
{{- define "trainyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "trainyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "trainyard.scheduling" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.deployment.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.deployment.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.deployment.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.deployment.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- /* "true" where the operator drives Amazon SageMaker itself. */ -}}
{{- define "trainyard.onAmazon" -}}
{{- if and (not .Values.server.enabled) (eq .Values.service.url "sagemaker") }}true{{ end -}}
{{- end -}}

{{- /* "true" where namespaces may name accounts and teams, whose roles two ConfigMaps tell. */ -}}
{{- define "trainyard.mapsRoles" -}}
{{- $asked := or .Values.enableCARM (dig "TeamLevelCARM" false .Values.featureGates) -}}
{{- if and (include "trainyard.onAmazon" .) $asked (eq .Values.installScope "cluster") }}true{{ end -}}
{{- end -}}

{{- define "trainyard.operator" -}}
name: operator
image: {{ include "trainyard.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- include "trainyard.containerSecurity" . | nindent 2 }}
args:
  - --region={{ .Values.aws.region }}
{{- if include "trainyard.onAmazon" . }}
  - operator
  - --on=sagemaker
{{- with .Values.aws.endpoint_url }}
  - --aws-endpoint-url={{ . }}
{{- end }}
{{- with .Values.aws.identity_endpoint_url }}
  - --aws-identity-endpoint-url={{ . }}
{{- end }}
  - --allow-unsafe-aws-endpoint-urls={{ .Values.aws.allow_unsafe_aws_endpoint_urls }}
  - --enable-carm={{ and .Values.enableCARM (eq .Values.installScope "cluster") }}
{{- else }}
  - --account={{ .Values.service.account }}
  - operator
  - --service={{ ternary "unix:///home/trainyard/home/control.sock" (.Values.service.url | default "") .Values.server.enabled }}
{{- end }}
{{- if and (not .Values.server.enabled) .Values.service.token.secretName }}
  - --service-token-file=/var/run/secrets/trainyard/token/{{ .Values.service.token.secretKey }}
{{- end }}
{{- if and (not .Values.server.enabled) .Values.service.ca.secretName }}
  - --service-ca-file=/var/run/secrets/trainyard/ca/{{ .Values.service.ca.secretKey }}
{{- end }}
{{- with include "trainyard.watchNamespace" . }}
  - --watch-namespace={{ . }}
{{- end }}
{{- with .Values.watchSelectors }}
  - --watch-selectors={{ . }}
{{- end }}
{{- range .Values.resourceTags }}
  - --resource-tags={{ . }}
{{- end }}
  - --deletion-policy={{ .Values.deletionPolicy }}
{{- if not (kindIs "invalid" .Values.ttlAfterFinished) }}
  - --ttl-after-finished={{ int .Values.ttlAfterFinished }}
{{- end }}
  - --reconcile-default-resync-seconds={{ int .Values.reconcile.defaultResyncPeriod }}
{{- range $kind, $seconds := .Values.reconcile.resourceResyncPeriods }}
  - --reconcile-resource-resync-seconds={{ $kind }}={{ int $seconds }}
{{- end }}
  - --reconcile-default-max-concurrent-syncs={{ int .Values.reconcile.defaultMaxConcurrentSyncs }}
{{- range $kind, $count := .Values.reconcile.resourceMaxConcurrentSyncs }}
  - --reconcile-resource-max-concurrent-syncs={{ $kind }}={{ int $count }}
{{- end }}
  - --enable-leader-election={{ .Values.leaderElection.enabled }}
{{- with .Values.leaderElection.namespace }}
  - --leader-election-namespace={{ . }}
{{- end }}
{{- $gates := list }}
{{- range $gate, $on := .Values.featureGates }}
{{- $gates = append $gates (printf "%s=%t" $gate $on) }}
{{- end }}
{{- with $gates }}
  - --feature-gates={{ join "," . }}
{{- end }}
  - --log-level={{ .Values.log.level }}
  - --enable-development-logging={{ .Values.log.enable_development_logging }}
  - --metrics-addr=0.0.0.0:8080
  - --healthz-addr=0.0.0.0:8081
ports:
  - {name: metrics, containerPort: 8080}
  - {name: health, containerPort: 8081}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  initialDelaySeconds: 15
  periodSeconds: 20
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 10
resources: {{- toYaml .Values.resources | nindent 2 }}
env:
  - {name: PYTHONDONTWRITEBYTECODE, value: "1"}
  - {name: TRAINYARD_HOME, value: /home/trainyard/home}
{{- if include "trainyard.onAmazon" . }}
  - {name: AWS_REGION, value: {{ .Values.aws.region | quote }}}
  - {name: ACK_SYSTEM_NAMESPACE, value: {{ .Release.Namespace | quote }}}
{{- with .Values.aws.identity_endpoint_url }}
  - {name: AWS_ENDPOINT_URL_STS, value: {{ . | quote }}}
{{- end }}
{{- if .Values.aws.credentials.secretName }}
  - {name: AWS_SHARED_CREDENTIALS_FILE, value: {{ printf "/var/run/secrets/aws/%s" .Values.aws.credentials.secretKey | quote }}}
  - {name: AWS_PROFILE, value: {{ .Values.aws.credentials.profile | quote }}}
{{- end }}
{{- end }}
{{- with .Values.deployment.extraEnvVars }}
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
