"""What it means: functions of Results."""
