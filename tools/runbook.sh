APPLICATION=${APPLICATION:-orders}          # the spec's name
ENVIRONMENT=${ENVIRONMENT:-production}
REGION=${REGION:-us-west-2}                 # where you act: the survivor; where the primary shall be
OTHER=${OTHER:-us-east-1}                   # the lost region, or the one that the primary leaves
HOME_REGION=${HOME_REGION:-us-east-1}       # where the stacks `checks` and `names` stand
FAILOVER_TAGS=${FAILOVER_TAGS:-}            # the spec's failover_tags as KEY=VALUE,KEY=VALUE, without spaces; or empty
DRAIN_S=${DRAIN_S:-10}                      # seconds that readers get to finish
FENCE_S=${FENCE_S:-26}                      # 15 s until an isolated primary fences itself, 10 s of DNS, 1 s
SETTLE_S=${SETTLE_S:-60}                    # until health checks have made up their minds: 3 probes of 10 s, and some
POLL_S=${POLL_S:-5}                         # between two looks
PREFIX=$APPLICATION-$ENVIRONMENT

# How AWS's answers are read.

output() {  # REGION STACK NAME: an output of a stack
  aws cloudformation describe-stacks --region "$1" --stack-name "$PREFIX-$2" \
    --query "Stacks[0].Outputs[?OutputKey=='$3'].OutputValue | [0]" --output text
}
parameter() {  # REGION STACK NAME: a parameter of a stack, as it is now
  aws cloudformation describe-stacks --region "$1" --stack-name "$PREFIX-$2" \
    --query "Stacks[0].Parameters[?ParameterKey=='$3'].ParameterValue | [0]" --output text
}
physical() {  # REGION STACK LOGICAL_ID: the id of a resource
  aws cloudformation describe-stack-resources --region "$1" --stack-name "$PREFIX-$2" --logical-resource-id "$3" \
    --query 'StackResources[0].PhysicalResourceId' --output text
}
database() {  # QUERY: of the instance $DATABASE in $REGION
  aws rds describe-db-instances --region "$REGION" --db-instance-identifier "$DATABASE" \
    --query "DBInstances[0].$1" --output text
}
note() {  # NAME: the address of a note that one operation leaves for the next, in $REGION's bucket
  echo "s3://$(output "$REGION" foundation ArtifactBucket)/operations/$1"
}

# How long is waited, and what is kept of what was said.

await() {  # LOOKS COMMAND...: until it works; fails, and says so, when it has not after so many looks
  left=$1
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "it has not come about: $*" >&2; return 1; }
    sleep "$POLL_S"
  done
}
keep() {  # FILE COMMAND...: what it says is shown, and is in the file; fails as the command does
  file=$1
  shift
  if "$@" > "$file"; then cat "$file"; else cat "$file"; return 1; fi
}

# What servers say of their database.

kit() {  # REGION VERB PARAMETERS [SECONDS]: have a server of the fleet run a verb of its kit; prints what it says
  status=None command=
  for instance in $(aws autoscaling describe-auto-scaling-groups --region "$1" --auto-scaling-group-names \
      "$PREFIX-fleet" --query "AutoScalingGroups[0].Instances[?LifecycleState=='InService'].InstanceId" \
      --output text); do
    command=$(aws ssm send-command --region "$1" --document-name "$PREFIX-kit-$2" --instance-ids "$instance" \
      --parameters "$3" --query Command.CommandId --output text) || continue
    polls=${4:-60} status=Pending
    while [ "$polls" -gt 0 ]; do
      case $status in Pending|InProgress|Delayed) ;; *) break ;; esac
      sleep 1
      polls=$((polls - 1))
      said=$(aws ssm get-command-invocation --region "$1" --command-id "$command" --instance-id "$instance" \
        --query '[Status, StandardOutputContent, StandardErrorContent]' --output text) || said=Pending
      status=$(printf '%s\n' "$said" | sed -n '1{s/[^A-Za-z].*//;p;}')
    done
    [ "$status" != Success ] || break
  done
  [ -n "$command" ] || { echo "no server of $PREFIX-fleet in $1 takes a command" >&2; return 1; }
  printf '%s\n' "$said" | sed '1s/^[A-Za-z]*[^A-Za-z{]*//'
  [ "$status" = Success ]
}
pages() {  # REGION VERB PARAMETERS FILE: the same for an answer in pages, all of which are shown and in the file
  after=0 more=true
  : > "$4"
  while [ "$more" = true ]; do
    await 12 keep page.json kit "$1" "$2" "{$3, \"After\": [\"$after\"]}" 3600 || return 1
    cat page.json >> "$4"
    more=$(sed -n 's/^  "more": \([a-z]*\),*$/\1/p' page.json)
    after=$(sed -n 's/^  "next": \([0-9]*\),*$/\1/p' page.json)
  done
}
field() {  # FILE NAME: the first value of this name that a kit's status has for its database
  sed -n '/"database": {/,$p' "$1" | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1
}
sees() {  # REGION FILE: the status of a kit is in the file, and its database has said its epoch
  kit "$1" status '{}' > "$2" && [ -n "$(field "$2" epoch)" ]
}
look() {  # REGION FILE: the same, for whoever wants to read it; fails when no kit reaches its database for a while
  await 10 sees "$1" "$2" && cat "$2"
}
replayed() {  # $REGION's replica shows the fence of $EPOCH, and that nobody was left who could still have written
  kit "$REGION" status '{}' > status.json || return 1
  sed -n '/"fence": {/,/}/p' status.json > fence.txt
  grep -q "\"epoch\": $EPOCH," fence.txt && grep -q '"done": true' fence.txt
}
streams() {  # a replica of the other region follows $REGION's database; its own standby does not count
  kit "$REGION" status '{}' > status.json || return 1
  sed -n '/"other_region": true/{n;p;}' status.json | grep -q '"state": "streaming"'
}
stands_alone() {  # $REGION's database follows nobody
  source=$(database ReadReplicaSourceDBInstanceIdentifier) || return 1
  [ -z "$source" ] || [ "$source" = None ]
}
moved() {  # $REGION's database is available in another zone than $ZONE
  [ "$(database DBInstanceStatus)" = available ] && [ "$(database AvailabilityZone)" != "$ZONE" ]
}

# What balancers say.

gate() {  # REGION open|closed: requests reach the application, or are answered 503 with Retry-After
  if [ "$2" = open ]; then open=1 closed=0; else open=0 closed=1; fi
  aws cloudformation list-stack-resources --region "$1" --stack-name "$PREFIX-service" --output text --query \
    'StackResourceSummaries[].[LogicalResourceId, PhysicalResourceId]' > service.txt || return 1
  listener=$(awk '$1 == "HttpsListener" { print $2 }' service.txt)
  application=$(awk '$1 == "ApplicationTargets" { print $2 }' service.txt)
  nobody=$(awk '$1 == "GateTargets" { print $2 }' service.txt)
  groups="{TargetGroupArn=$application,Weight=$open},{TargetGroupArn=$nobody,Weight=$closed}"
  aws elbv2 modify-listener --region "$1" --listener-arn "$listener" \
    --default-actions "Type=forward,ForwardConfig={TargetGroups=[$groups]}" \
    --query 'Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups[].[TargetGroupArn, Weight]' --output text
}
switch() {  # REGION BODY: what the balancer says at /.well-known/bicoastal/switch
  aws elbv2 modify-rule --region "$1" --rule-arn "$(physical "$1" service SwitchRule)" --actions \
    "Type=fixed-response,FixedResponseConfig={StatusCode=200,ContentType=text/plain,MessageBody=$2}" \
    --query 'Rules[0].Actions[0].FixedResponseConfig.MessageBody' --output text
}

# Who reaches a database that was a primary.

RULE='IpProtocol: IpProtocol, FromPort: FromPort, ToPort: ToPort, Description: Description, CidrIpv4'
RULE_ID='SecurityGroupRuleId: SecurityGroupRuleId'
NOBODY=127.0.0.1/32
doors() {  # CONDITION FORM: rules that let, or did, the survivor's servers to the other database, each in this form
  aws ec2 describe-security-group-rules --region "$REGION" --filters "Name=group-id,Values=$GROUP" --output json \
    --query "SecurityGroupRules[?IsEgress && FromPort==\`5432\` && CidrIpv4 && CidrIpv4$1'$NOBODY'].$2"
}
lead() {  # CONDITION CIDR: those rules lead to these addresses, where there are any
  doors "$1" "{$RULE_ID, SecurityGroupRule: {$RULE: '$2'}}" > doors.json || return 1
  grep -q SecurityGroupRuleId doors.json || return 0
  aws ec2 modify-security-group-rules --region "$REGION" --group-id "$GROUP" --security-group-rules file://doors.json
}
keep_off() {  # the survivor's servers, whose addresses list the other database, do not reach it; noted before
  GROUP=$(output "$REGION" network FleetGroup) || return 1
  doors != "{$RULE_ID, IsEgress: IsEgress, $RULE: CidrIpv4}" > doors.json || return 1
  grep -q SecurityGroupRuleId doors.json || return 0
  printf '{"region": "%s", "group": "%s", "rules": %s}\n' "$REGION" "$GROUP" "$(cat doors.json)" > kept-off.json
  aws s3 cp kept-off.json "$(note kept-off.json)" --region "$REGION" || return 1
  lead != "$NOBODY"
}
let_on() {  # they do again, where they were kept off, by this page or by Bicoastal
  aws s3 cp "$(note kept-off.json)" kept-off.json --region "$REGION" || return 0
  GROUP=$(output "$REGION" network FleetGroup) || return 1
  lead == "$(led_to kept-off.json)"
}
led_to() {  # FILE: to which addresses the rules led
  sed -n 's/.*"CidrIpv4": *"\([^"]*\)".*/\1/p' "$1" | head -n 1
}

# How stacks are changed.

proposed() {  # REGION STACK: the change set is made, or cannot be; what it says is in proposal.txt
  aws cloudformation describe-change-set --region "$1" --stack-name "$PREFIX-$2" --change-set-name "$CHANGES" --query \
    '[[[Status, StatusReason]], Changes[].ResourceChange.[Action, LogicalResourceId, ResourceType, Replacement]][]' \
    --output text > proposal.txt || return 1
  made=$(head -n 1 proposal.txt)
  case $made in *_PENDING*|*_IN_PROGRESS*) return 1 ;; esac
}
propose() {  # REGION STACK NAME=VALUE...: a change set that moves these parameters and keeps all others; prints it
  region=$1 stack=$2
  shift 2
  given=
  for name in $(aws cloudformation describe-stacks --region "$region" --stack-name "$PREFIX-$stack" \
      --query 'Stacks[0].Parameters[].ParameterKey' --output text); do
    one=ParameterKey=$name,UsePreviousValue=true
    for pair in "$@"; do
      [ "${pair%%=*}" != "$name" ] || one=ParameterKey=$name,ParameterValue=${pair#*=}
    done
    given="$given $one"
  done
  # One that was executed keeps its name.
  CHANGES=by-hand-$(date +%Y%m%d-%H%M%S)
  # $given is meant to be split: no value that moves has a space. No alarm that watched a release is asked again.
  aws cloudformation create-change-set --region "$region" --stack-name "$PREFIX-$stack" --change-set-name "$CHANGES" \
    --use-previous-template --capabilities CAPABILITY_NAMED_IAM --parameters $given --query Id --output text \
    --rollback-configuration '{"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}' || return 1
  await 60 proposed "$region" "$stack" || return 1
  sed 1d proposal.txt
  case $made in
    CREATE_COMPLETE*) return 0 ;;
    # That it is so already is no failure.
    *"didn't contain changes"*|*"No updates are to be performed"*) made=NOTHING ;;
  esac
  echo "$PREFIX-$stack in $region: $(head -n 1 proposal.txt)"
  aws cloudformation delete-change-set --region "$region" --stack-name "$PREFIX-$stack" --change-set-name "$CHANGES"
  [ "$made" = NOTHING ]
}
execute() {  # REGION STACK [OPTION]: begin what was proposed
  aws cloudformation execute-change-set --region "$1" --stack-name "$PREFIX-$2" --change-set-name "$CHANGES" ${3:-}
}
promote() {  # begin what change.txt says, if it promotes $REGION's database and does nothing else
  if [ "$(grep -c AWS:: change.txt)" = 1 ] && grep -q 'Modify.DatabaseInstance.AWS::RDS::DBInstance' change.txt &&
      ! grep -q 'True$' change.txt; then
    execute "$REGION" database --disable-rollback
  else
    echo "change.txt would do something else: nothing was begun" >&2
    return 1
  fi
}
begin() {  # REGION STACK NAME=VALUE...: propose, and begin it; nothing where it is so already
  propose "$@" || return 1
  [ "$made" = NOTHING ] || execute "$1" "$2"
}
at_rest() {  # REGION STACK: nothing is under way there
  status=$(aws cloudformation describe-stacks --region "$1" --stack-name "$PREFIX-$2" \
    --query 'Stacks[0].StackStatus' --output text) || return 1
  case $status in *_IN_PROGRESS) return 1 ;; esac
}
settled() {  # REGION STACK: wait for the end of an update, an hour at most; fails unless it was good
  await 720 at_rest "$1" "$2" || return 1
  echo "$PREFIX-$2 in $1: $status"
  [ "$status" = UPDATE_COMPLETE ] || [ "$status" = CREATE_COMPLETE ]
}
move() {  # REGION STACK NAME=VALUE...: begin, and wait for the end
  begin "$@" && settled "$1" "$2"
}

# Tags.

pairs() {  # what a failover tags: KEY=VALUE, a word each
  echo "$FAILOVER_TAGS" | tr , ' '
}
tags() {  # KEY: a line for each thing that is deployed in $REGION: its ARN, and the tag's value or None
  aws resourcegroupstaggingapi get-resources --region "$REGION" --tag-filters "Key=application,Values=$APPLICATION" \
    "Key=environment,Values=$ENVIRONMENT" --output text \
    --query "ResourceTagMappingList[].[ResourceARN, Tags[?Key=='$1'].Value | [0]]" |
    grep -e '^arn:[^:]*:s3:::' -e "^arn:[^:]*:[^:]*:$REGION:" | grep -v '^arn:[^:]*:cloudformation:'
}
tag() {  # KEY=VALUE,... FILE: give them to what the file's lines name, twenty at a time
  [ ! -s "$2" ] || xargs -n 20 aws resourcegroupstaggingapi tag-resources --region "$REGION" --tags "$1" \
    --resource-arn-list < "$2"
}
untag() {  # KEY FILE: the same, taking a tag away
  [ ! -s "$2" ] || xargs -n 20 aws resourcegroupstaggingapi untag-resources --region "$REGION" --tag-keys "$1" \
    --resource-arn-list < "$2"
}
tag_fleet() {  # KEY VALUE: the fleet, and what it launches from now on
  one=ResourceId=$PREFIX-fleet,ResourceType=auto-scaling-group,Key=$1
  if [ "$2" = None ]; then
    aws autoscaling delete-tags --region "$REGION" --tags "$one"
  else
    aws autoscaling create-or-update-tags --region "$REGION" --tags "$one,Value=$2,PropagateAtLaunch=true"
  fi
}

ledger() {  # what was there, of the lines ARN, KEY, VALUE: as Bicoastal writes it, so that it can restore it, too
  sort | awk -F '\t' '
    function value(v) { return v == "None" ? "null" : "\"" v "\"" }
    { printf "%s  \"%s\": %s", ($1 == arn ? ",\n" : (arn == "" ? "{\n" : "\n },\n") " \"" $1 "\": {\n"), $2, value($3) }
    { arn = $1 }
    END { print (arn == "" ? "{}" : "\n }\n}") }'
}
before() {  # KEY FILE: of such a ledger, a line each: ARN, and the value or None
  awk -F '"' -v key="$1" '/^ "/ { arn = $2 } /^  "/ && $2 == key { print arn "\t" ($4 == "" ? "None" : $4) }' "$2"
}
back() {  # KEY VALUE USUAL: what bears the value of a failover now is given what before.txt says, or else the usual one
  tags "$1" | awk -F '\t' -v value="$2" -v usual="$3" '
    NR == FNR { was[$1] = $2; next }
    $2 == value { print ($1 in was ? was[$1] : usual) "\t" $1 }' before.txt - > back.txt
  cut -f 1 back.txt | sort -u > values.txt
  while read -r was; do
    awk -F '\t' -v was="$was" '$1 == was { print $2 }' back.txt > arns.txt
    if [ "$was" = None ]; then untag "$1" arns.txt; else tag "$1=$was" arns.txt; fi
  done < values.txt
}

# Emergency access, and restores.

tagged() {  # the instance is open by this execution
  [ "$(aws ec2 describe-instances --region "$REGION" --instance-ids "$INSTANCE" --output text --query \
    "Reservations[].Instances[].Tags[?Key=='bicoastal:emergency-access'].Value[]")" = "$EXECUTION" ]
}
carried_out() {  # the execution of a document is over
  status=$(aws ssm get-automation-execution --region "$REGION" --automation-execution-id "$EXECUTION" \
    --query AutomationExecution.AutomationExecutionStatus --output text) || return 1
  case $status in Pending|InProgress|Waiting) return 1 ;; esac
}
restored() {  # the restore job is over
  status=$(aws backup describe-restore-job --region "$REGION" --restore-job-id "$JOB" --query Status --output text) ||
    return 1
  case $status in PENDING|CREATED|RUNNING) return 1 ;; esac
}
