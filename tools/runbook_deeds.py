"""What the runbook says for each row of the operations' tables: where in the console, which lines, how it is seen.

The lines are a POSIX shell's, run with `sh -eu` after those of the page's top; a test runs the failover's against a
twin. Nothing here is decided by Bicoastal: whoever types them reads each answer before the next line.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.operate.transitions import Operation, Step


@dataclass(frozen=True)
class Deed:
    """One step by hand."""

    console: str
    lines: str
    seen: str
    """How to see that it is done."""
    otherwise: str
    """What to do if it is not."""


TOP = """\
APPLICATION=${APPLICATION:-orders}          # the spec's name
ENVIRONMENT=${ENVIRONMENT:-production}
REGION=${REGION:-us-west-2}                 # where you act: the survivor; where the primary shall be
OTHER=${OTHER:-us-east-1}                   # the lost region, or the one that the primary leaves
HOME_REGION=${HOME_REGION:-us-east-1}       # where the stacks `checks` and `names` stand
FAILOVER_TAGS=${FAILOVER_TAGS:-}            # the spec's failover_tags as KEY=VALUE,KEY=VALUE; empty for none
DRAIN_S=${DRAIN_S:-10}                      # seconds that readers get to finish
FENCE_S=${FENCE_S:-26}                      # 15 s until an isolated primary fences itself, 10 s of DNS, 1 s
PREFIX=$APPLICATION-$ENVIRONMENT
"""

FUNCTIONS = r"""
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
kit() {  # REGION VERB PARAMETERS: have a server of the fleet run a verb of its kit; prints what it says
  instance=$(aws autoscaling describe-auto-scaling-groups --region "$1" --auto-scaling-group-names "$PREFIX-fleet" \
    --query "AutoScalingGroups[0].Instances[?LifecycleState=='InService'].InstanceId | [0]" --output text) || return 1
  command=$(aws ssm send-command --region "$1" --document-name "$PREFIX-kit-$2" --instance-ids "$instance" \
    --parameters "$3" --query Command.CommandId --output text) || return 1
  polls=60 status=Pending
  while [ "$polls" -gt 0 ]; do
    case $status in Pending|InProgress|Delayed) ;; *) break ;; esac
    sleep 1
    polls=$((polls - 1))
    status=$(aws ssm get-command-invocation --region "$1" --command-id "$command" --instance-id "$instance" \
      --query Status --output text) || status=Pending
  done
  aws ssm get-command-invocation --region "$1" --command-id "$command" --instance-id "$instance" \
    --query '[StandardOutputContent, StandardErrorContent]' --output text
  [ "$status" = Success ]
}
field() {  # FILE NAME: the first value of this name that a kit's status has for its database
  sed -n '/"database": {/,$p' "$1" | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1
}
look() {  # REGION FILE: the status of a kit that reaches its database; fails when none does for a while
  looks=10
  until kit "$1" status '{}' > "$2" && [ -n "$(field "$2" epoch)" ]; do
    looks=$((looks - 1))
    [ "$looks" -gt 0 ] || return 1
    sleep 3
  done
  cat "$2"
}
gate() {  # REGION open|closed: requests reach the application, or are answered 503 with Retry-After
  if [ "$2" = open ]; then open=1 closed=0; else open=0 closed=1; fi
  aws elbv2 modify-listener --region "$1" --listener-arn "$(physical "$1" service HttpsListener)" \
    --default-actions "Type=forward,ForwardConfig={TargetGroups=[{TargetGroupArn=$(
      physical "$1" service ApplicationTargets),Weight=$open},{TargetGroupArn=$(
      physical "$1" service GateTargets),Weight=$closed}]}" \
    --query 'Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups[].[TargetGroupArn, Weight]' --output text
}
switch() {  # REGION BODY: what the balancer says at /.well-known/bicoastal/switch
  aws elbv2 modify-rule --region "$1" --rule-arn "$(physical "$1" service SwitchRule)" --actions \
    "Type=fixed-response,FixedResponseConfig={StatusCode=200,ContentType=text/plain,MessageBody=$2}" \
    --query 'Rules[0].Actions[0].FixedResponseConfig.MessageBody' --output text
}
propose() {  # REGION STACK NAME=VALUE...: a change set that moves these parameters and keeps all others; prints it
  region=$1 stack=$PREFIX-$2
  shift 2
  given=
  for name in $(aws cloudformation describe-stacks --region "$region" --stack-name "$stack" \
      --query 'Stacks[0].Parameters[].ParameterKey' --output text); do
    one=ParameterKey=$name,UsePreviousValue=true
    for pair in "$@"; do
      [ "${pair%%=*}" != "$name" ] || one=ParameterKey=$name,ParameterValue=${pair#*=}
    done
    given="$given $one"
  done
  # $given is meant to be split: no value that moves has a space.
  aws cloudformation create-change-set --region "$region" --stack-name "$stack" --change-set-name by-hand \
    --use-previous-template --capabilities CAPABILITY_NAMED_IAM --parameters $given --query Id --output text
  aws cloudformation wait change-set-create-complete --region "$region" --stack-name "$stack" --change-set-name by-hand
  aws cloudformation describe-change-set --region "$region" --stack-name "$stack" --change-set-name by-hand \
    --query 'Changes[].ResourceChange.[Action, LogicalResourceId, ResourceType, Replacement]' --output text
}
execute() {  # REGION STACK [OPTION]: begin what was proposed
  aws cloudformation execute-change-set --region "$1" --stack-name "$PREFIX-$2" --change-set-name by-hand ${3:-}
}
settled() {  # REGION STACK: wait for the end of an update, an hour at most; fails unless it was good
  tries=720 status=UPDATE_IN_PROGRESS
  while [ "$tries" -gt 0 ]; do
    status=$(aws cloudformation describe-stacks --region "$1" --stack-name "$PREFIX-$2" \
      --query 'Stacks[0].StackStatus' --output text)
    case $status in *_IN_PROGRESS) sleep 5 ;; *) break ;; esac
    tries=$((tries - 1))
  done
  echo "$PREFIX-$2 in $1: $status"
  [ "$status" = UPDATE_COMPLETE ]
}
move() {  # REGION STACK NAME=VALUE...: the three of them
  propose "$@"
  execute "$1" "$2"
  settled "$1" "$2"
}
""".strip()

_CHANGE = (
    "CloudFormation > Stacks > `PREFIX-{stack}` > Update > Use existing template; change {what}, keep the rest; read "
    "the change set; Execute"
)
_LISTENER = "EC2 > Load Balancers > PREFIX > Listeners > HTTPS:443 > Default action"
_RUN = "Systems Manager > Run Command > Owned by me > `PREFIX-kit-{verb}`, on one instance of the fleet"
_EVENTS = "Read the stack's events for the first failure. Nothing that was done before needs to be undone."

_CLOSE = Deed(
    f"{_LISTENER} > Edit: weight 0 for the application's target group, 1 for the gate's. In `REGION`.",
    'gate "$REGION" closed',
    "The application's target group has weight 0; `curl -i` of the public name from that coast answers 503.",
    "Without it reads die in the middle of the promotion; nothing is lost by that. Go on if you must.",
)
_READERS = Deed(
    _RUN.format(verb="status"),
    """\
sleep "$DRAIN_S"
look "$REGION" status.json
echo "sessions that read: $(field status.json sessions); the epoch is $(field status.json epoch)"
""",
    'In its answer, `database.reading.sessions` is 0. For a lost primary `receiver.status` is not "streaming", and '
    "`heartbeat_age_s` says how many seconds of writes are lost at most by promoting.",
    "Wait and ask again; what still reads is ended by the promotion. If no server answers, use another instance. "
    "If the heartbeat is seconds old the primary is alive: stop here and do a switchover.",
)
_LATCH = Deed(
    "EC2 > Load Balancers > PREFIX > HTTPS:443 > Rules > the first one (path `/.well-known/bicoastal/switch`) > Edit: "
    "response body `on:EPOCH;`, the epoch of the status plus one.",
    """\
EPOCH=$(field status.json epoch)
EPOCH=$((${EPOCH:?no kit says the epoch: ask again} + 1))
switch "$REGION" "on:$EPOCH;"
""",
    "`curl https://REGION.DOMAIN/.well-known/bicoastal/switch` answers `on:EPOCH;`. Within a minute and a half the "
    "other region is out of DNS.",
    "Look whether the rule is the listener's first; a web ACL must let that path through.",
)
_AWAIT_PROMOTION = Deed(
    "RDS > Databases > the instance: Role is no longer Replica.",
    """\
DATABASE=$(output "$REGION" database DatabaseId)
tries=360 source=unknown
while [ "$tries" -gt 0 ]; do
  source=$(aws rds describe-db-instances --region "$REGION" --db-instance-identifier "$DATABASE" \\
    --query 'DBInstances[0].ReadReplicaSourceDBInstanceIdentifier' --output text)
  case $source in None|'') break ;; esac
  sleep 5
  tries=$((tries - 1))
done
[ "$tries" -gt 0 ]
""",
    "It follows nobody: the answer is empty, or `None`. Don't wait for the stack, which takes minutes longer.",
    'If the stack failed, promote past it: `aws rds promote-read-replica --region "$REGION" '
    '--db-instance-identifier "$DATABASE"`. `bicoastal failover` brings the stack in line later.',
)
_RAISE = Deed(
    _RUN.format(verb="unfence") + ", Epoch: the one that the switch says.",
    """\
tries=60
until kit "$REGION" unfence "{\\"Epoch\\": [\\"$EPOCH\\"]}"; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ]
  sleep 5
done
""",
    'It answers `"writes": true`: a row was written and read as the application does it.',
    "The instance has been restarted: it takes connections after a while. Refused as too low: another region has taken "
    "over; look at both.",
)
_OPEN = Deed(
    f"{_LISTENER} > Edit: weight 1 for the application's target group, 0 for the gate's.",
    'gate "$REGION" open',
    "The public name answers 200, and a write succeeds.",
    "Look at the target group's health; the application finds its writer by itself.",
)
_RECORD = Deed(
    _CHANGE.format(stack="service", what="`Switch` and `ReadGate`")
    + "; then `PREFIX-backup`, `DatabaseRole`: `primary`.",
    """\
settled "$REGION" database
move "$REGION" service "Switch=on:$EPOCH;" ReadGate=open
move "$REGION" backup DatabaseRole=primary
""",
    "The three stacks are UPDATE_COMPLETE, and `bicoastal plan` would change nothing of the roles.",
    _EVENTS + " Users are served all the same: this can wait until the incident is over.",
)

DEEDS: dict[tuple[Operation, Step], Deed] = {
    (Operation.FAILOVER, Step.CLOSE_GATE): _CLOSE,
    (Operation.FAILOVER, Step.AWAIT_READERS): _READERS,
    (Operation.FAILOVER, Step.LATCH_SWITCH): _LATCH,
    (Operation.FAILOVER, Step.AWAIT_FENCE): Deed(
        "Nothing to click: a clock. Meanwhile, if the lost region's console answers: Systems Manager there, "
        "`PREFIX-kit-fence` with the epoch and the reason `superseded`. Don't wait for it.",
        'sleep "$FENCE_S"',
        "Time has passed. A primary that sees neither the witness nor its replica has stopped writes by then.",
        "If it may still be reached by users (their DNS is old, it does not see the witness): what it goes on "
        "acknowledging will be listed by `rejoin`, and is not in the survivor.",
    ),
    (Operation.FAILOVER, Step.PROMOTE): Deed(
        _CHANGE.format(stack="database", what="`DatabaseRole` to `primary`")
        + ", with rollback disabled (stack failure options: preserve). The change set must hold one resource: "
        "`DatabaseInstance`, Modify.",
        """\
look "$REGION" promoted.txt
printf '{"region": "%s", "epoch": %s, "snapshot": "%s", "lsn": "%s", "at": %s}\\n' "$REGION" "$EPOCH" \\
  "$(field promoted.txt snapshot)" "$(field promoted.txt replayed_lsn)" "$(date +%s)" > promoted.json
aws s3 cp promoted.json "s3://$(output "$REGION" foundation ArtifactBucket)/operations/promoted.json"
propose "$REGION" database DatabaseRole=primary | tee change.txt
[ "$(grep -c AWS:: change.txt)" = 1 ]
grep 'Modify.DatabaseInstance.AWS::RDS::DBInstance' change.txt
execute "$REGION" database --disable-rollback
""",
        "The change set shows `Modify DatabaseInstance` and nothing else; the stack is UPDATE_IN_PROGRESS. The note in "
        "the bucket lets `rejoin` list later what the lost primary alone has.",
        "More than one resource, or `Replacement: True`: don't execute; `aws rds promote-read-replica` instead, and "
        "bring the stack in line afterwards. RDS refuses while the instance is `backing-up`: wait for it.",
    ),
    (Operation.FAILOVER, Step.AWAIT_PROMOTION): _AWAIT_PROMOTION,
    (Operation.FAILOVER, Step.RAISE_EPOCH): _RAISE,
    (Operation.FAILOVER, Step.OPEN_GATE): _OPEN,
    (Operation.FAILOVER, Step.RECORD): _RECORD,
    (Operation.FAILOVER, Step.OVERRIDE_TAGS): Deed(
        "Resource Groups & Tag Editor > Tag Editor: region, tags `application` and `environment`; Manage tags. Export "
        "the list first: it says what was there. The fleet is not in it: EC2 > Auto Scaling groups > Tags.",
        """\
aws resourcegroupstaggingapi get-resources --region "$REGION" --tag-filters "Key=application,Values=$APPLICATION" \\
  "Key=environment,Values=$ENVIRONMENT" > tags-before.json
if [ -n "$FAILOVER_TAGS" ]; then
  set --
  for arn in $(aws resourcegroupstaggingapi get-resources --region "$REGION" --tag-filters \\
      "Key=application,Values=$APPLICATION" "Key=environment,Values=$ENVIRONMENT" \\
      --query 'ResourceTagMappingList[].ResourceARN' --output text); do
    case $arn in arn:*:cloudformation:*) continue ;; arn:*:s3:::*|arn:*:*:"$REGION":*) ;; *) continue ;; esac
    set -- "$@" "$arn"
    if [ "$#" -eq 20 ]; then
      aws resourcegroupstaggingapi tag-resources --region "$REGION" --tags "$FAILOVER_TAGS" --resource-arn-list "$@"
      set --
    fi
  done
  [ "$#" -eq 0 ] ||
    aws resourcegroupstaggingapi tag-resources --region "$REGION" --tags "$FAILOVER_TAGS" --resource-arn-list "$@"
fi
""",
        "`FailedResourcesMap` of each answer is empty. `tags-before.json` holds what was there: keep it.",
        "What it names is tagged by its own service's console. Nobody's request waits for this.",
    ),
    (Operation.SWITCHOVER, Step.PREPARE): Deed(
        _CHANGE.format(stack="database", what="`DatabaseRole` to `primary`") + " only later.",
        'look "$REGION" status.json\nEPOCH=$(field status.json epoch)\n'
        "EPOCH=$((${EPOCH:?no kit says the epoch: ask again} + 1))\n"
        'propose "$REGION" database DatabaseRole=primary',
        "The change set holds one resource: `DatabaseInstance`, Modify.",
        "Delete the change set, and bring the stack in line first (`bicoastal status --drift`).",
    ),
    (Operation.SWITCHOVER, Step.CLOSE_GATE): _CLOSE,
    (Operation.SWITCHOVER, Step.AWAIT_READERS): _READERS,
    (Operation.SWITCHOVER, Step.STOP_WRITES): Deed(
        _RUN.format(verb="fence") + " of `OTHER`: the next epoch, and the reason `switchover`.",
        'kit "$OTHER" fence "{\\"Epoch\\": [\\"$EPOCH\\"], \\"Reason\\": [\\"switchover to $REGION\\"]}"',
        'It answers `"fenced": true`. Writes pause from here on.',
        'To go back: `kit "$OTHER" unfence` with the same epoch, and open the gate. Nothing has happened yet.',
    ),
    (Operation.SWITCHOVER, Step.AWAIT_REPLAY): Deed(
        _RUN.format(verb="status") + " of `REGION`.",
        """\
tries=60
until kit "$REGION" status '{}' > status.json && [ "$(sed -n '/"fence": {/,/}/s/.*"epoch": \\([0-9]*\\).*/\\1/p' \\
    status.json)" = "$EPOCH" ]; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ]
  sleep 1
done
""",
        "The replica shows the fence with the new epoch: it was written after every acknowledged row.",
        "It does not arrive: unfence `OTHER` with the same epoch, open the gate, look at replication.",
    ),
    (Operation.SWITCHOVER, Step.PROMOTE): Deed(
        "CloudFormation > `PREFIX-database` > Change sets > the one that was prepared > Execute, with rollback "
        "disabled.",
        'execute "$REGION" database --disable-rollback',
        "The stack is UPDATE_IN_PROGRESS. There is no way back from here.",
        "Promote past CloudFormation: `aws rds promote-read-replica`.",
    ),
    (Operation.SWITCHOVER, Step.AWAIT_PROMOTION): _AWAIT_PROMOTION,
    (Operation.SWITCHOVER, Step.RAISE_EPOCH): _RAISE,
    (Operation.SWITCHOVER, Step.OPEN_GATE): _OPEN,
    (Operation.SWITCHOVER, Step.LATCH_SWITCH): Deed(
        _LATCH.console, 'switch "$REGION" "on:$EPOCH;"', _LATCH.seen, _LATCH.otherwise
    ),
    (Operation.SWITCHOVER, Step.RECORD): _RECORD,
    (Operation.REJOIN, Step.SHUT_OTHER): Deed(
        f"{_LISTENER} > Edit, in `OTHER`: weight 0 for the application's target group, 1 for the gate's.",
        'gate "$OTHER" closed',
        "The other region's own name answers 503.",
        "Take its record out of DNS by leaving the switch on: users don't get there either.",
    ),
    (Operation.REJOIN, Step.FENCE): Deed(
        _RUN.format(verb="fence") + " of `OTHER`: the survivor's epoch, and the reason `superseded`.",
        """\
look "$REGION" status.json
EPOCH=$(field status.json epoch)
kit "$OTHER" fence "{\\"Epoch\\": [\\"$EPOCH\\"], \\"Reason\\": [\\"superseded\\"]}"
""",
        'It answers `"fenced": true`.',
        "No server there: set the fleet's size back first (`operations/fenced.json` in the survivor's artifact bucket "
        "says what it was, and which security-group rules were withdrawn).",
    ),
    (Operation.REJOIN, Step.LIST_WRITES): Deed(
        _RUN.format(verb="diverged") + " of `OTHER`: the snapshot of `operations/promoted.json`, After 0; again with "
        "`next` while it says `more`.",
        """\
aws s3 cp "s3://$(output "$REGION" foundation ArtifactBucket)/operations/promoted.json" promoted.json
SNAPSHOT=$(sed -n 's/.*"snapshot": "\\([^"]*\\)".*/\\1/p' promoted.json)
kit "$OTHER" diverged "{\\"Snapshot\\": [\\"$SNAPSHOT\\"], \\"After\\": [\\"0\\"]}" | tee diverged.json
""",
        "`rows` are those that the former primary acknowledged and the survivor never got: for people to decide about.",
        "Without a snapshot it cannot be told: the former instance is kept, look into it before it is deleted.",
    ),
    (Operation.REJOIN, Step.BUILD): Deed(
        _CHANGE.format(
            stack="database",
            what="`DatabaseRole` and `DatabaseOrigin` to `replica`, `DatabaseGeneration` to the next number, "
            "`SourceDatabaseArn` to the survivor's instance",
        )
        + ", in `OTHER`.",
        """\
GENERATION=$(($(parameter "$OTHER" database DatabaseGeneration) + 1))
propose "$OTHER" database DatabaseRole=replica DatabaseOrigin=replica "DatabaseGeneration=$GENERATION" \\
  "SourceDatabaseArn=$(output "$REGION" database DatabaseArn)"
execute "$OTHER" database
settled "$OTHER" database
""",
        "RDS has `PREFIX-db-gN` as a replica of the survivor, and still the former instance.",
        _EVENTS + " The former instance stays in any case.",
    ),
    (Operation.REJOIN, Step.AWAIT_STREAMING): Deed(
        _RUN.format(verb="status") + " of `REGION`.",
        """\
tries=720
until kit "$REGION" status '{}' > status.json && grep -q '"state": "streaming"' status.json; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ]
  sleep 5
done
""",
        'One of `database.slots` with `other_region` true is "streaming".',
        "Look at the new instance's events in RDS, and at the alarm on the replication slot.",
    ),
    (Operation.REJOIN, Step.REFRESH_FLEETS): Deed(
        _CHANGE.format(stack="service", what="`DatabaseHost` and `OtherDatabaseHost`")
        + ", in both regions; servers are replaced in batches. Then `PREFIX-backup` (`DatabaseArn`, `DatabaseRole`) "
        "and `PREFIX-monitoring` (`DatabaseId`) of `OTHER`.",
        """\
HERE=$(output "$REGION" database DatabaseHost) THERE=$(output "$OTHER" database DatabaseHost)
move "$REGION" service "DatabaseHost=$HERE" "OtherDatabaseHost=$THERE"
move "$OTHER" service "DatabaseHost=$THERE" "OtherDatabaseHost=$HERE"
move "$OTHER" backup "DatabaseArn=$(output "$OTHER" database DatabaseArn)" DatabaseRole=replica
move "$OTHER" monitoring "DatabaseId=$(output "$OTHER" database DatabaseId)"
""",
        "The stacks are UPDATE_COMPLETE and the target groups healthy.",
        "A change set without changes means that it is so already: go on with the next line. Where `OTHER` has no "
        "parameter of that name, leave it out.",
    ),
    (Operation.REJOIN, Step.REOPEN_OTHER): Deed(
        f"{_LISTENER} > Edit, in `OTHER`: weight 1 for the application's target group.",
        'gate "$OTHER" open',
        "The other region's own name answers 200 to a read.",
        "Look at its target group's health.",
    ),
    (Operation.REJOIN, Step.MOVE_NAMES): Deed(
        _CHANGE.format(stack="checks", what="`Epoch` and `NextEpoch`")
        + " in the home region; wait until every check is Healthy in Route 53 > Health checks; then the same of "
        "`PREFIX-names`, with `PrimaryRegion` where it has one.",
        """\
move "$HOME_REGION" checks "Epoch=$EPOCH" "NextEpoch=$((EPOCH + 1))"
sleep 60
move "$HOME_REGION" names "Epoch=$EPOCH" "NextEpoch=$((EPOCH + 1))" "PrimaryRegion=$REGION"
""",
        "`dig +short TXT witness.DOMAIN` says the epoch; both coasts' names resolve to their own balancer.",
        "Inverted checks start unhealthy: give them a minute before the records believe them.",
    ),
    (Operation.REJOIN, Step.SWITCH_OFF): Deed(
        "The rule of the switch in both regions: response body `off`; then the stacks `PREFIX-service`, `Switch`: "
        "`off`.",
        """\
switch "$REGION" off
switch "$OTHER" off
move "$REGION" service Switch=off
move "$OTHER" service Switch=off ReadGate=open
""",
        "Both balancers answer `off` at the switch's path.",
        "One that stays on says an epoch that counts for nothing any more: no haste. No changes: it is off already.",
    ),
    (Operation.REJOIN, Step.RESTORE_TAGS): Deed(
        "Tag Editor: give back what `tags-before.json` (by hand) or `operations/tags.json` in the artifact bucket (by "
        "Bicoastal) says, and remove keys that were not there.",
        'aws s3 cp "s3://$(output "$REGION" foundation ArtifactBucket)/operations/tags.json" tags.json || true',
        "A resource that had the key has its value again, and one that had not has none.",
        "`bicoastal rejoin` does it from its own ledger; by hand it is a list to work through.",
    ),
    (Operation.RESTORE, Step.RESTORE): Deed(
        "AWS Backup > Vaults > PREFIX > the recovery point > Restore: a new instance name `PREFIX-restored-...`, the "
        "subnet group, security group and parameter group of the lines below, not public, one zone, restore role "
        "`PREFIX-restore-REGION`.",
        """\
aws backup list-recovery-points-by-backup-vault --region "$REGION" --backup-vault-name "$PREFIX" --output text \\
  --query "reverse(sort_by(RecoveryPoints[?Status=='COMPLETED'], &CreationDate))[].[CreationDate, RecoveryPointArn]"
POINT=${POINT:-$(aws backup list-recovery-points-by-backup-vault --region "$REGION" --backup-vault-name "$PREFIX" \\
  --query "reverse(sort_by(RecoveryPoints[?Status=='COMPLETED'], &CreationDate))[0].RecoveryPointArn" --output text)}
RESTORED=$PREFIX-restored-by-hand-$(date +%Y%m%d-%H%M)
CLASS=$(aws backup get-recovery-point-restore-metadata --region "$REGION" --backup-vault-name "$PREFIX" \\
  --recovery-point-arn "$POINT" --query RestoreMetadata.DBInstanceClass --output text)
JOB=$(aws backup start-restore-job --region "$REGION" --recovery-point-arn "$POINT" --resource-type RDS \\
  --iam-role-arn "$(output "$REGION" backup RestoreRoleArn)" --metadata "{\\"DBInstanceIdentifier\\": \\"$RESTORED\\",
    \\"DBInstanceClass\\": \\"$CLASS\\", \\"DBSubnetGroupName\\": \\"$(physical "$REGION" backup RestoreSubnets)\\",
    \\"VpcSecurityGroupIds\\": \\"[\\\\\\"$(output "$REGION" network DatabaseGroup)\\\\\\"]\\",
    \\"DBParameterGroupName\\": \\"$(physical "$REGION" database DatabaseParameters)\\",
    \\"PubliclyAccessible\\": \\"false\\", \\"MultiAZ\\": \\"false\\"}" --query RestoreJobId --output text)
""",
        "There is a restore job, PENDING or RUNNING.",
        "A region that is lost has its copies in the other one's vault: set REGION to that. A vault lists what was "
        "COMPLETED only; nothing else can be restored.",
    ),
    (Operation.RESTORE, Step.AWAIT_RESTORE): Deed(
        "AWS Backup > Jobs > Restore jobs; RDS > Databases.",
        """\
tries=1440 status=PENDING
while [ "$tries" -gt 0 ]; do
  status=$(aws backup describe-restore-job --region "$REGION" --restore-job-id "$JOB" --query Status --output text)
  case $status in PENDING|CREATED|RUNNING) sleep 10 ;; *) break ;; esac
  tries=$((tries - 1))
done
[ "$status" = COMPLETED ]
""",
        "The job is COMPLETED, and the new instance Available.",
        "`aws backup describe-restore-job` has a StatusMessage; mend that, and begin again under another name.",
    ),
    (Operation.RESTORE, Step.VERIFY): Deed(
        _RUN.format(verb="census") + ", Host: the new instance's endpoint, After: 0.",
        """\
HOST=$(aws rds describe-db-instances --region "$REGION" --db-instance-identifier "$RESTORED" \\
  --query 'DBInstances[0].Endpoint.Address' --output text)
kit "$REGION" census "{\\"Host\\": [\\"$HOST\\"], \\"After\\": [\\"0\\"]}" | tee census.json
""",
        "For each table: rows and checksum in the restored database, and in the live one (`here`) as it is now; "
        "`restored_alone` is what can come back. While it says `more`, again with After: `next`.",
        "It takes connections a moment after it is available. A password that was changed since the backup keeps the "
        "kit out: use `owner` with the password of that time.",
    ),
    (Operation.RESTORE, Step.HAND_OVER): Deed(
        "RDS > Databases > the new instance > Delete, without a last snapshot; or leave it.",
        """\
[ "${KEEP:-no}" = yes ] || aws rds delete-db-instance --region "$REGION" --db-instance-identifier "$RESTORED" \\
  --skip-final-snapshot --query DBInstance.DBInstanceStatus --output text
""",
        "It is `deleting`, or it stays and costs what a database costs.",
        "Refused while it is being modified: try again.",
    ),
}

IN_REGION = Deed(
    "RDS > Databases > `PREFIX-db-gN` > Actions > Reboot > Reboot with failover.",
    """\
DATABASE=$(output "$REGION" database DatabaseId)
aws rds reboot-db-instance --region "$REGION" --db-instance-identifier "$DATABASE" --force-failover \\
  --query DBInstance.DBInstanceStatus --output text
aws rds wait db-instance-available --region "$REGION" --db-instance-identifier "$DATABASE"
aws rds describe-db-instances --region "$REGION" --db-instance-identifier "$DATABASE" \\
  --query 'DBInstances[0].[DBInstanceStatus, AvailabilityZone]' --output text
""",
    "Its Availability Zone is another one than before; 60 to 120 seconds. No acknowledged write is lost.",
    "It is not Multi-AZ, or not available: then there is no standby to move to, and only the other region is left.",
)

OPEN_ACCESS = Deed(
    "Sign in as the responder role of the region, with MFA. Systems Manager > Automation > `PREFIX-open-access`: the "
    "instance, the minutes, the reason; then Session Manager with `PREFIX-emergency-session`.",
    """\
aws ssm start-automation-execution --region "$REGION" --document-name "$PREFIX-open-access" \\
  --parameters "InstanceId=$INSTANCE,Minutes=30,Reason=$REASON" --query AutomationExecutionId --output text
aws ssm start-session --region "$REGION" --target "$INSTANCE" --document-name "$PREFIX-emergency-session"
""",
    "The instance bears the emergency tag, and the alert topic has told of it.",
    "The document's output says why: an instance of another deployment, too many minutes, no reason. Nobody edits a "
    "role.",
)
CLOSE_ACCESS = Deed(
    "Systems Manager > Automation > `PREFIX-close-access`: the instance. It also closes by itself when the minutes are "
    "over.",
    """\
aws ssm start-automation-execution --region "$REGION" --document-name "$PREFIX-close-access" \\
  --parameters "InstanceId=$INSTANCE" --query AutomationExecutionId --output text
""",
    "The tag is gone, its sessions have ended, and the instance is being replaced.",
    "Take the tag away and end its sessions by hand (`aws ssm terminate-session`), as an administrator.",
)
