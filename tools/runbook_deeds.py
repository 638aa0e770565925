"""What the runbook says for each row of the operations' tables: where in the console, which lines, how it is seen.

The lines are a POSIX shell's, run with `sh -eu` after those of the page's top (`runbook.sh`); tests run them against a
twin. Nothing here is decided by Bicoastal: whoever types them reads each answer before the next line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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


_CHANGE = (
    "CloudFormation > Stacks > `PREFIX-{stack}` > Update > Use existing template; change {what}, keep the rest; read "
    "the change set; Execute"
)
_LISTENER = "EC2 > Load Balancers > PREFIX > Listeners > HTTPS:443 > Default action"
_RUN = "Systems Manager > Run Command > Owned by me > `PREFIX-kit-{verb}`, on one instance of the fleet"
_BACK = (
    '`kit "$OTHER" unfence "{\\"Epoch\\": [\\"$((EPOCH - 1))\\"]}"`, delete the change set (`$CHANGES`), and open the '
    "gate"
)
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
_KEEP_OFF = (
    "EC2 > Security Groups > the instances', in `REGION`: note the outbound rules for port 5432 of the other region's "
    "addresses, and edit each to 127.0.0.1/32 (edit, don't delete)"
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
    'DATABASE=$(output "$REGION" database DatabaseId)\nawait 360 stands_alone',
    "It follows nobody. Don't wait for the stack, which takes minutes longer.",
    'If the stack failed, promote past it: `aws rds promote-read-replica --region "$REGION" '
    '--db-instance-identifier "$DATABASE"`. `bicoastal failover` brings the stack in line later.',
)
_RAISE = Deed(
    _RUN.format(verb="unfence") + ", Epoch: the one that the switch says.",
    'await 60 kit "$REGION" unfence "{\\"Epoch\\": [\\"$EPOCH\\"]}"',
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
        f"{_KEEP_OFF}; then a clock. Meanwhile, if the lost region's console answers: Systems Manager there, "
        "`PREFIX-kit-fence` with the epoch and the reason `superseded`. Don't wait for it.",
        'keep_off\nsleep "$FENCE_S"',
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
aws s3 cp promoted.json "$(note promoted.json)" --region "$REGION"
keep change.txt propose "$REGION" database DatabaseRole=primary
promote
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
if [ -n "$FAILOVER_TAGS" ]; then
  if ! aws s3 cp "$(note tags.json)" tags.json --region "$REGION"; then
    for pair in $(pairs); do
      tags "${pair%%=*}" | awk -F '\\t' -v key="${pair%%=*}" '{ print $1 "\\t" key "\\t" $2 }'
    done | ledger > tags.json
    aws s3 cp tags.json "$(note tags.json)" --region "$REGION"
  fi
  for pair in $(pairs); do
    tag_fleet "${pair%%=*}" "${pair#*=}"
  done
  tags any | cut -f 1 > arns.txt
  tag "$FAILOVER_TAGS" arns.txt
fi
""",
        "`FailedResourcesMap` of each answer is empty. `operations/tags.json` in the bucket holds what was there; that "
        "there was none yet is no failure.",
        "What it names is tagged by its own service's console. Nobody's request waits for this.",
    ),
    (Operation.SWITCHOVER, Step.PREPARE): Deed(
        _CHANGE.format(stack="database", what="`DatabaseRole` to `primary`") + " only later.",
        """\
look "$REGION" status.json
EPOCH=$(field status.json epoch)
EPOCH=$((${EPOCH:?no kit says the epoch: ask again} + 1))
printf '{"region": "%s", "epoch": %s, "lossless": true, "at": %s}\\n' "$REGION" "$EPOCH" "$(date +%s)" > promoted.json
aws s3 cp promoted.json "$(note promoted.json)" --region "$REGION"
keep change.txt propose "$REGION" database DatabaseRole=primary
""",
        "The change set holds one resource: `DatabaseInstance`, Modify. The note in the bucket tells `rejoin` that "
        "there will be nothing that only the former primary has.",
        "Delete the change set, and bring the stack in line first (`bicoastal status --drift`).",
    ),
    (Operation.SWITCHOVER, Step.CLOSE_GATE): _CLOSE,
    (Operation.SWITCHOVER, Step.AWAIT_READERS): _READERS,
    (Operation.SWITCHOVER, Step.STOP_WRITES): Deed(
        _RUN.format(verb="fence") + " of `OTHER`: the next epoch, and the reason `switchover`.",
        """\
keep fence.json kit "$OTHER" fence "{\\"Epoch\\": [\\"$EPOCH\\"],
  \\"Reason\\": [\\"switchover to $REGION\\"]}"
""",
        'It answers `"fenced": true`. Writes pause from here on.',
        f"To go back: {_BACK}. Nothing has happened yet.",
    ),
    (Operation.SWITCHOVER, Step.AWAIT_REPLAY): Deed(
        _RUN.format(verb="status") + " of `REGION`.",
        "grep '\"received\": true' fence.json || await 60 replayed",
        'The fence\'s answer said `"received": true`: the replica has all of it on its disk. Or the replica shows the '
        'fence with the new epoch, `"done": true`: it was written after every acknowledged row.',
        f"It does not arrive: {_BACK}; look at replication.",
    ),
    (Operation.SWITCHOVER, Step.PROMOTE): Deed(
        "CloudFormation > `PREFIX-database` > Change sets > the one that was prepared > Execute, with rollback "
        "disabled.",
        "promote",
        "The stack is UPDATE_IN_PROGRESS. There is no way back from here.",
        "Promote past CloudFormation: `aws rds promote-read-replica`.",
    ),
    (Operation.SWITCHOVER, Step.AWAIT_PROMOTION): _AWAIT_PROMOTION,
    (Operation.SWITCHOVER, Step.RAISE_EPOCH): _RAISE,
    (Operation.SWITCHOVER, Step.OPEN_GATE): replace(
        _OPEN,
        seen="The public name answers 200. A write waits, or is refused.",
        otherwise="Look at the target group's health.",
    ),
    (Operation.SWITCHOVER, Step.LATCH_SWITCH): Deed(
        _LATCH.console + f" Then {_KEEP_OFF}.",
        'keep_off\nswitch "$REGION" "on:$EPOCH;"',
        _LATCH.seen,
        _LATCH.otherwise + " A server that still reads in the former primary shows old rows until the rejoin.",
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
await 120 kit "$OTHER" fence "{\\"Epoch\\": [\\"${EPOCH:?no kit says the epoch: ask again}\\"],
  \\"Reason\\": [\\"superseded\\"]}"
""",
        'It answers `"fenced": true`.',
        "Servers that come back take minutes. No server there: set the fleet's size back first "
        "(`operations/fenced.json` in the survivor's artifact bucket says what it was, and which security-group rules "
        "were withdrawn).",
    ),
    (Operation.REJOIN, Step.LIST_WRITES): Deed(
        _RUN.format(verb="diverged") + " of `OTHER`: the snapshot of `operations/promoted.json`, After 0; again with "
        "`next` while it says `more`. After a switchover there is nothing to list.",
        """\
aws s3 cp "$(note promoted.json)" promoted.json --region "$REGION"
NOTED=$(sed -n 's/.*"epoch": \\([0-9]*\\).*/\\1/p' promoted.json)
SNAPSHOT=$(sed -n 's/.*"snapshot": "\\([^"]*\\)".*/\\1/p' promoted.json)
if [ "$NOTED" != "$EPOCH" ]; then
  echo "the note is of epoch $NOTED and not of $EPOCH: what $OTHER alone has cannot be told" >&2
  false
elif grep '"lossless": true' promoted.json; then
  echo "after a switchover $OTHER alone has nothing"
else
  pages "$OTHER" diverged "\\"Snapshot\\": [\\"$SNAPSHOT\\"]" diverged.json
fi
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
        "await 720 streams",
        'One of `database.slots` with `other_region` true is "streaming".',
        "Look at the new instance's events in RDS, and at the alarm on the replication slot.",
    ),
    (Operation.REJOIN, Step.REFRESH_FLEETS): Deed(
        _CHANGE.format(stack="service", what="`DatabaseHost` and `OtherDatabaseHost`")
        + ", in both regions; servers are replaced in batches. `PREFIX-backup` (`DatabaseArn`, `DatabaseRole`) and "
        "`PREFIX-monitoring` (`DatabaseId`) of `OTHER` meanwhile; whoever may deploy, also `PREFIX-bootstrap` "
        "(`DatabaseHost`) of both. At last the outbound rules of the survivor's servers as `kept-off.json` has them.",
        """\
HERE=$(output "$REGION" database DatabaseHost) THERE=$(output "$OTHER" database DatabaseHost)
begin "$REGION" service "DatabaseHost=$HERE" "OtherDatabaseHost=$THERE"
begin "$OTHER" service "DatabaseHost=$THERE" "OtherDatabaseHost=$HERE"
begin "$OTHER" backup "DatabaseArn=$(output "$OTHER" database DatabaseArn)" DatabaseRole=replica
begin "$OTHER" monitoring "DatabaseId=$(output "$OTHER" database DatabaseId)"
move "$REGION" bootstrap "DatabaseHost=$HERE" && move "$OTHER" bootstrap "DatabaseHost=$THERE" ||
  echo "the stacks bootstrap are left to the next bicoastal deploy"
settled "$OTHER" backup
settled "$OTHER" monitoring
settled "$REGION" service
settled "$OTHER" service
let_on
""",
        "The stacks are UPDATE_COMPLETE and the target groups healthy.",
        "`didn't contain changes`: it is so already. AccessDenied for `bootstrap`: an operator may not change what "
        "reads every password; `bicoastal plan` shows it until somebody deploys, and nothing waits for it.",
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
sleep "$SETTLE_S"
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
begin "$REGION" service Switch=off
begin "$OTHER" service Switch=off ReadGate=open
settled "$REGION" service
settled "$OTHER" service
""",
        "Both balancers answer `off` at the switch's path.",
        "One that stays on says an epoch that counts for nothing any more: no haste. `didn't contain "
        "changes`: it is off already.",
    ),
    (Operation.REJOIN, Step.RESTORE_TAGS): Deed(
        "Tag Editor: give back what `operations/tags.json` in the artifact bucket says, and remove keys that were not "
        "there; what was launched since has what its neighbours had. Then delete `tags.json`, "
        "`promoted.json`, `kept-off.json` and, once all that it lists is as it was, `fenced.json` there.",
        """\
if [ -n "$FAILOVER_TAGS" ] && aws s3 cp "$(note tags.json)" tags.json --region "$REGION"; then
  for pair in $(pairs); do
    before "${pair%%=*}" tags.json > before.txt
    USUAL=$(awk -F '\\t' '/:db:/ { print $2; exit }' before.txt)
    tag_fleet "${pair%%=*}" "${USUAL:-None}"
    back "${pair%%=*}" "${pair#*=}" "${USUAL:-None}"
  done
  aws s3 rm "$(note tags.json)" --region "$REGION"
fi
NOTES=$(note '')
for name in promoted kept-off fenced; do
  aws s3 rm "$NOTES$name.json" --region "$REGION"
done
""",
        "`FailedResourcesMap` of each answer is empty: a resource that had the key has its value again, and one that "
        "had not has none. After a switchover there is no `tags.json`, and nothing to restore.",
        "What it names is tagged by its own service's console, from `tags.json`. `bicoastal rejoin` does it, too, as "
        "long as that lies in the bucket.",
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
DATABASE=$PREFIX-restored-by-hand-$(date +%Y%m%d-%H%M)
CLASS=$(aws backup get-recovery-point-restore-metadata --region "$REGION" --backup-vault-name "$PREFIX" \\
  --recovery-point-arn "$POINT" --query RestoreMetadata.DBInstanceClass --output text)
JOB=$(aws backup start-restore-job --region "$REGION" --recovery-point-arn "$POINT" --resource-type RDS \\
  --iam-role-arn "$(output "$REGION" backup RestoreRoleArn)" --metadata "{\\"DBInstanceIdentifier\\": \\"$DATABASE\\",
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
await 2880 restored
[ "$status" = COMPLETED ]
aws cloudformation describe-stacks --region "$REGION" --stack-name "$PREFIX-database" --query 'Stacks[0].Tags' \\
  --output json > stack-tags.json
aws rds add-tags-to-resource --region "$REGION" --resource-name "$(database DBInstanceArn)" \\
  --tags file://stack-tags.json
aws rds add-tags-to-resource --region "$REGION" --resource-name "$(database DBInstanceArn)" \\
  --tags Key=data-class,Value=customer "Key=restored-from,Value=${POINT##*:}"
""",
        "The job is COMPLETED, and the new instance Available. It bears the tags of the database, and "
        "of what it holds.",
        "`aws backup describe-restore-job` has a StatusMessage; mend that, and begin again under another name.",
    ),
    (Operation.RESTORE, Step.VERIFY): Deed(
        _RUN.format(verb="census") + ", Host: the new instance's endpoint, After: 0; again with `next` "
        "while it says `more`.",
        """\
pages "$REGION" census "\\"Host\\": [\\"$(database Endpoint.Address)\\"]" census.json
""",
        "For each table: rows and checksum in the restored database, and in the live one (`here`) as it is now; "
        "`restored_alone` is what can come back.",
        "It takes connections a moment after it is available. A password that was changed since the backup keeps the "
        "kit out: use `owner` with the password of that time.",
    ),
    (Operation.RESTORE, Step.HAND_OVER): Deed(
        "RDS > Databases > the new instance > Delete, without a last snapshot; or leave it.",
        """\
[ "${KEEP:-no}" = yes ] || aws rds delete-db-instance --region "$REGION" --db-instance-identifier "$DATABASE" \\
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
ZONE=$(database AvailabilityZone)
aws rds reboot-db-instance --region "$REGION" --db-instance-identifier "$DATABASE" --force-failover \\
  --query DBInstance.DBInstanceStatus --output text
await 360 moved
database '[DBInstanceStatus, AvailabilityZone]'
""",
    "Its Availability Zone is another one than before; 60 to 120 seconds. No acknowledged write is lost.",
    "It is not Multi-AZ, or not available: then there is no standby to move to, and only the other region is left.",
)

OPEN_ACCESS = Deed(
    "Sign in as the responder role of the region, with MFA. Systems Manager > Automation > `PREFIX-open-access`: the "
    "instance, the minutes, the reason; then Session Manager with `PREFIX-emergency-session`.",
    """\
EXECUTION=$(aws ssm start-automation-execution --region "$REGION" --document-name "$PREFIX-open-access" \\
  --parameters "{\\"InstanceId\\": [\\"$INSTANCE\\"], \\"Minutes\\": [\\"30\\"], \\"Reason\\": [\\"$REASON\\"]}" \\
  --query AutomationExecutionId --output text)
await 36 tagged
aws ssm start-session --region "$REGION" --target "$INSTANCE" --document-name "$PREFIX-emergency-session"
""",
    "The instance bears the emergency tag, its value is the execution, and the alert topic has told of it.",
    "The document's output says why (`aws ssm get-automation-execution`): an instance of another deployment, too many "
    "minutes, no reason. Nobody edits a role. `SessionManagerPlugin is not found`: install it, or use the console.",
)
CLOSE_ACCESS = Deed(
    "Systems Manager > Automation > `PREFIX-close-access`: the instance. It also closes by itself when the minutes are "
    "over.",
    """\
EXECUTION=$(aws ssm start-automation-execution --region "$REGION" --document-name "$PREFIX-close-access" \\
  --parameters "InstanceId=$INSTANCE" --query AutomationExecutionId --output text)
await 60 carried_out
[ "$status" = Success ]
""",
    "The document has ended as Success: the tag is gone, its sessions have ended, and the instance is being replaced.",
    "Take the tag away and end its sessions by hand (`aws ssm terminate-session`), as an administrator.",
)
