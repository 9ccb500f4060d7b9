"""What a trader looks at all day: pages under `/dashboard`, in the API's process, over the same services."""
