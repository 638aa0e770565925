"""Both coasts looked at again and again, as cheaply as the AWS API allows, for who watches them. Changes nothing."""
